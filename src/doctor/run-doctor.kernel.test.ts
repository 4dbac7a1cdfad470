/**
 * The doctor over a node of its own: a network namespace with pods, rules and servers, its process started there as it is on
 * any node, and an API server that is a list of manifests. Needs root.
 */
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestNetwork, type TestPod } from '../datapath/testing/test-network.ts';
import { AppError } from '../fault/app-error.ts';
import { systemClock } from '../telemetry/clock.ts';
import { readYaml } from './lint/read-yaml.ts';
import { reachNodes, type Ways } from './live/reach-nodes.ts';
import type { Report } from './report/report.ts';
import { type DoctorOptions, runDoctor } from './run-doctor.ts';
import { known, unknown } from './site/known.ts';
import { CLUSTER_KINDS } from './site/read-cluster.ts';
import { podOf } from './testing/live-site.ts';
import { CLUSTER_DNS, POD_CACHE, POLICY } from './testing/manifest-report.ts';

const MAIN = fileURLToPath(new URL('../cli/boot/zerohop.mjs', import.meta.url));
const VIP = '10.96.0.10';
const NODE = 'worker-1';

const NODE_OBJECT = JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } });
const AGENT = JSON.stringify({
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'zerohop-x', namespace: 'dns' } },
  spec: {
    nodeName: NODE,
    hostNetwork: true,
    containers: [{ name: 'agent', image: 'zerohop', args: ['agent'] }],
  },
  status: { phase: 'Running', podIP: '192.0.2.1' },
});

let network: TestNetwork;
let directory: string;
let coredns: TestPod;
let server: ChildProcess;
let manifests: readonly string[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zh-test-doctor-'));
  network = new TestNetwork('doctor');
  const client = network.addPod('client', '172.20.7.20');
  coredns = network.addPod('coredns', '172.20.7.30');
  network.translate(VIP, coredns.address);
  server = await network.serve(coredns.netns, coredns.address, '192.0.2.1');
  const plain = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'client', namespace: 'default' } };
  manifests = [
    ...[NODE_OBJECT, CLUSTER_DNS, POD_CACHE, AGENT],
    JSON.stringify({
      ...plain,
      spec: { nodeName: NODE, dnsPolicy: 'ClusterFirst', containers: [{ name: 'c', image: 'busybox' }] },
      status: { phase: 'Running', podIP: client.address, podIPs: [{ ip: client.address }] },
    }),
    podOf('Deployment kube-system/coredns', 'coredns-a', { node: NODE, ip: coredns.address }),
  ];
});

afterAll(async () => {
  await network.close();
  rmSync(directory, { recursive: true });
});

/** Lists what was written, and knows no other kinds. */
function api(texts: readonly string[]): DoctorOptions['cluster'] {
  const objects = texts.flatMap((text) => readYaml('f', text).objects.map(({ object }) => object));
  return known({
    async get(path: string) {
      const kind = Object.entries(CLUSTER_KINDS).find(([, own]) => own === path)?.[0];
      const items = objects.filter((object) => object.kind === kind);
      if (items.length === 0) throw new AppError('KUBE_NOT_FOUND', 'Cannot GET: received 404');
      return { kind: `${kind}List`, items };
    },
  });
}

const inNode = (...args: readonly string[]) => [
  ...['nsenter', `--net=/run/netns/${network.node}`, process.execPath, MAIN, 'doctor-node'],
  ...[
    '--server',
    `unix://${directory}/none.sock`,
    '--hook-directory',
    `${directory}/none`,
    '--shares-machine',
  ],
  ...args,
];

function examine(over: Partial<DoctorOptions> = {}, ways: Partial<Ways> = {}): Promise<Report> {
  const here = { command: inNode(), names: [NODE], addresses: [] };
  return runDoctor({
    ...{ clock: systemClock, random: Math.random, cluster: api(manifests), timeoutMs: 60_000 },
    reach: (site) => reachNodes(site, { here, ...ways }),
    ...over,
  });
}

/** Everything of the node that somebody could have changed; counters and neighbours change by themselves. */
function stateOfNode(): string {
  const commands = [
    'nft -s list ruleset',
    'ip -d link',
    'ip addr',
    'ip rule',
    'ip route show table all',
    'tc qdisc',
    'tc filter',
  ];
  const states = commands.map((command) => network.inNode(...command.split(' ')));
  return `${states.join('\n')}\n${network.run(coredns.netns, 'ip', 'addr')}`;
}

describe('runDoctor', () => {
  it('follows its probes without an agent, and says who sent them where', async () => {
    const report = await examine();
    expect(report).toMatchObject({ exitCode: 1, nodes: [NODE], notLookedAt: [], notProbed: [] });
    expect(report.pods).toMatchObject([
      {
        pod: 'default/client',
        verdict: 'BYPASSED',
        sent: 4,
        elsewhere: 4,
        because: 'D26',
        fix: { kind: 'yaml' },
      },
    ]);
    expect(report.pods[0]?.evidence[0]).toContain(`dnat at conntrack: to ${coredns.address}:53`);
    expect(report.pods[0]?.evidence[0]).toContain('answered by kube-system/coredns-a');
    expect(report.about[0]?.kernel).toMatch(/^\d+\.\d+/);
  });

  it('changes nothing', async () => {
    // An address that the kernel makes by itself is tentative for a moment (RFC 4862 section 5.4), and then has routes.
    await expect.poll(stateOfNode).not.toContain('tentative');
    const before = stateOfNode();
    await examine();
    expect(stateOfNode()).toBe(before);
  });

  it('does by kubectl what it does here, and says what kubectl says when it cannot', async () => {
    const script = join(directory, 'kubectl');
    const said = join(directory, 'said');
    const words = inNode()
      .map((word) => `'${word}'`)
      .join(' ');
    writeFileSync(script, `#!/bin/sh\necho "$@" > ${said}\nexec ${words}\n`);
    chmodSync(script, 0o755);
    const elsewhere = {
      here: { command: [], names: ['laptop'], addresses: [] },
      kubectl: [script, '--context', 'c'],
    };
    expect((await examine({}, elsewhere)).pods).toMatchObject([
      { pod: 'default/client', verdict: 'BYPASSED' },
    ]);
    expect(readFileSync(said, 'utf8').trim()).toBe(
      '--context c -n dns exec -i zerohop-x -c agent -- zerohop doctor-node',
    );

    writeFileSync(script, '#!/bin/sh\necho "Error from server (Forbidden): pods is forbidden" >&2\nexit 1\n');
    const report = await examine({}, elsewhere);
    expect(report).toMatchObject({ exitCode: 1, pods: [] });
    expect(report.notLookedAt).toEqual([
      {
        node: NODE,
        reason:
          'kubectl exec dns/zerohop-x: it ended with exit code 1: Error from server (Forbidden): pods is forbidden',
      },
    ]);
  });

  it('probes the one pod that is asked for, and says that it is not there', async () => {
    expect((await examine({ pod: 'default/client' })).pods).toHaveLength(1);
    const { exitCode, notProbed } = await examine({
      pod: 'default/nobody',
      cluster: api([...manifests, POLICY]),
    });
    expect(notProbed).toEqual([
      { pod: 'default/nobody', node: '', reason: 'the cluster has no pod of this name' },
    ]);
    expect(exitCode).not.toBe(0);
  });

  it('without an API server says what the node shows, and ends with 2', async () => {
    const report = await examine({ cluster: unknown('there is no API server') });
    expect(report).toMatchObject({ exitCode: 2, nodes: [NODE], pods: [] });
    expect(report.about[0]?.kernel).toMatch(/^\d+\.\d+/);
    expect(report.blind.some(({ reason }) => reason === 'services: there is no API server')).toBe(true);
  });

  it('without rights says which it lacks, and judges what is left', async () => {
    const [nsenter = '', net = '', ...program] = inNode();
    const powerless = [nsenter, net, 'setpriv', '--bounding-set=-all', ...program];
    const report = await examine({}, { here: { command: powerless, names: [NODE], addresses: [] } });
    expect(report).toMatchObject({ exitCode: 1, pods: [], notProbed: [{ pod: 'default/client' }] });
    expect(report.findings.map(({ id }) => id)).toContain('D26');
    expect(report.blind.filter(({ reason }) => reason.includes('EPERM')).map(({ id }) => id)).toContain(
      'D04',
    );
  });

  it('is done when it has to be, whatever hangs', async () => {
    const script = join(directory, 'hangs');
    writeFileSync(script, '#!/bin/sh\nexec sleep 1000\n');
    chmodSync(script, 0o755);
    const here = { command: [script], names: [NODE], addresses: [] };
    const never = known({ get: () => new Promise<never>(() => undefined) });
    const report = await examine({ timeoutMs: 2000, cluster: never }, { here });
    expect(report).toMatchObject({
      exitCode: 2,
      notLookedAt: [{ node: NODE, reason: 'here: it took too long' }],
    });
    expect(report.blind.some(({ reason }) => reason === 'services: it took too long')).toBe(true);
  });

  // The last one: nobody serves any more.
  it('says BROKEN when the server refuses, and when its packets are dropped', async () => {
    await network.kill(server);
    expect((await examine()).pods).toMatchObject([{ verdict: 'BROKEN', lost: 4 }]);
    const hole =
      'add table ip hole; add chain ip hole in { type filter hook input priority 0; policy drop; }';
    network.run(coredns.netns, 'nft', hole);
    const report = await examine();
    expect(report).toMatchObject({ exitCode: 1, pods: [{ verdict: 'BROKEN', lost: 4 }] });
    expect(report.pods[0]?.evidence.join()).toContain('no answer');
  });
});
