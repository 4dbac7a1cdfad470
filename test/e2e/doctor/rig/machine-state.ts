/**
 * Everything in which a doctor that changes something would leave a trace: links, addresses, routes, rules, programs and
 * their order, what is mounted and pinned, objects of the cluster. Counters and what ages by itself are left out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { LAB_DIRECTORY } from '../../../../src/lab/topology.ts';
import { objectVersions } from './cluster-objects.ts';
import type { DoctorLab } from './doctor-lab.ts';
import { CONTROL, WORKER } from './fault.ts';

const LOOKS: readonly (readonly string[])[] = [
  ['ip', '-o', 'link'],
  ['ip', '-o', 'addr'],
  ['ip', 'route', 'show', 'table', 'all'],
  ['ip', 'rule'],
  ['nft', '-s', 'list', 'ruleset'],
  ['cat', '/proc/self/net/ip_tables_names'],
  ['sysctl', '-a', '-r', 'net.ipv4.(conf|ip_forward)|nf_conntrack_(max|udp|tcp)'],
];

export async function machineState(lab: DoctorLab): Promise<Readonly<Record<string, string>>> {
  const state: Record<string, string> = {};
  for (const node of [CONTROL, WORKER]) {
    for (const words of LOOKS) state[`${node}: ${words.join(' ')}`] = lab.tryInNode(node, ...words).text;
    const links = lab.inNode(node, 'ip', '-o', 'link').matchAll(/^\d+: (lxc[^@:]+)/gm);
    for (const [, name = ''] of links)
      for (const side of ['ingress', 'egress'])
        state[`${node}: filters of ${name} ${side}`] = lab.tryInNode(
          node,
          'tc',
          'filter',
          'show',
          'dev',
          name,
          side,
        ).text;
  }
  state.namespaces = readdirSync('/run/netns').sort().join('\n');
  state.files = readdirSync(LAB_DIRECTORY, { recursive: true })
    .map(String)
    .filter(isLasting)
    .sort()
    .join('\n');
  state.mounts = readFileSync('/proc/self/mounts', 'utf8');
  state.objects = (await objectVersions(lab.objects)).join('\n');
  return state;
}

/** What pods write below their own directories while they run is theirs. */
function isLasting(path: string): boolean {
  return !path.startsWith('pods/') && !path.startsWith('logs/');
}
