/**
 * Caches of other makers, built for real on a node of their own, and what an observer without their help says of them: stock
 * node-cache with a link-local address and with the cluster IP, AKS's pair of addresses, an unbound of the node.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestPod } from '../../datapath/testing/test-network.ts';
import { parseName, ROOT } from '../../dns/name.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { probePods } from '../probe/probe-pods.ts';
import { runChecks } from '../run-checks.ts';
import { known } from '../site/known.ts';
import { address, liveSite, NODE, podOf } from '../testing/live-site.ts';
import { CLUSTER_DNS } from '../testing/manifest-report.ts';
import { RealNode } from '../testing/real-node.ts';

const VIP = '10.96.0.10';
const LINK_LOCAL = '169.254.20.10';

let node: RealNode;
let client: TestPod;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zh-test-observed-'));
  node = new RealNode('observed');
  client = node.network.addPod('client', '172.20.0.20');
  const server = node.network.addPod('server', '172.20.0.30');
  await node.network.serve(server.netns, server.address, '192.0.2.1');
});

afterEach(() => {
  node.network.inNode('nft', 'flush', 'ruleset');
});

afterAll(async () => {
  await node.close();
  rmSync(directory, { recursive: true });
});

function hold(ifname: string, ...addresses: readonly string[]): void {
  // This kernel has no dummy interfaces; a bridge without ports is as good.
  node.network.inNode('ip', 'link', 'add', ifname, 'type', 'bridge');
  node.network.inNode('ip', 'link', 'set', ifname, 'up');
  for (const one of addresses) node.network.inNode('ip', 'addr', 'add', `${one}/32`, 'dev', ifname);
}

function release(ifname: string): void {
  node.network.inNode('ip', 'link', 'del', ifname);
}

function notrack(target: string): void {
  for (const [chain, side] of [
    ['PREROUTING', 'd'],
    ['OUTPUT', 's'],
  ] as const)
    for (const protocol of ['udp', 'tcp'])
      node.network.inNode(
        ...['iptables-nft', '-t', 'raw', '-I', chain, `-${side}`, target, '-p', protocol],
        ...[`--${side}port`, '53', '-j', 'NOTRACK'],
      );
}

const PODS = [
  podOf('Deployment default/app', 'client', { node: NODE, ip: '172.20.0.20' }),
  podOf('Deployment kube-system/coredns', 'coredns-a', { node: NODE, ip: '172.20.0.30' }),
];

/** Probes from the pod to its nameserver, and the report of the node as it is then. */
async function judged(nameserver: string) {
  const { trails } = await probePods([{ key: 'default/client', addresses: [address(client.address)] }], {
    ...{
      node: NODE,
      domain: parseName('cluster.local.') ?? ROOT,
      run: 'ef56',
      clock: systemClock,
      randomId: () => 7,
    },
    ...{ nameserver: address(nameserver), udp: 2, tcp: 1, timeoutMs: 10_000 },
  });
  const facts = await node.facts();
  const site = liveSite({ manifests: [CLUSTER_DNS, ...PODS], facts, agent: { probes: known(trails) } });
  const report = await runChecks(site);
  return {
    pod: report.pods[0],
    ids: report.findings.filter(({ id }) => id === 'D01' || id === 'D02').map(({ id }) => id),
  };
}

describe('a stock node cache', () => {
  test('at its link-local address is entered', async () => {
    hold('nodelocaldns', LINK_LOCAL);
    const cache = await node.network.serve(node.network.node, LINK_LOCAL, '192.0.2.9');
    notrack(LINK_LOCAL);
    expect(await judged(LINK_LOCAL)).toMatchObject({ pod: { verdict: 'ENTERED', entered: 3 }, ids: [] });
    await node.network.kill(cache);
    expect((await judged(LINK_LOCAL)).pod).toMatchObject({ verdict: 'BROKEN', because: 'D06' });
    release('nodelocaldns');
  });

  test('at the cluster IP is entered as long as its rules keep the packets from being translated', async () => {
    hold('nodelocaldns', VIP);
    const cache = await node.network.serve(node.network.node, VIP, '192.0.2.9');
    node.network.translate(VIP, '172.20.0.30');
    notrack(VIP);
    expect(await judged(VIP)).toMatchObject({ pod: { verdict: 'ENTERED' }, ids: [] });
    node.network.inNode('iptables-nft', '-t', 'raw', '-F');
    const bypassed = await judged(VIP);
    expect(bypassed).toMatchObject({ pod: { verdict: 'BYPASSED', elsewhere: 3 }, ids: ['D01', 'D02'] });
    expect(bypassed.pod?.evidence.join('\n')).toContain('kube-system/coredns-a');
    await node.network.kill(cache);
    release('nodelocaldns');
  });
});

test('a pair of addresses as AKS LocalDNS has them is entered', async () => {
  hold('localdns', '169.254.10.10', '169.254.10.11');
  const caches = await Promise.all(
    ['169.254.10.10', '169.254.10.11'].map((one) => node.network.serve(node.network.node, one, '192.0.2.9')),
  );
  expect((await judged('169.254.10.11')).pod).toMatchObject({ verdict: 'ENTERED' });
  for (const cache of caches) await node.network.kill(cache);
  release('localdns');
});

test('an unbound of the node is entered', async () => {
  hold('resolver', '169.254.53.53');
  const config = join(directory, 'unbound.conf');
  writeFileSync(
    config,
    [
      'server:',
      ...[
        'interface: 169.254.53.53',
        'access-control: 0.0.0.0/0 allow',
        'do-ip6: no',
        'chroot: ""',
        'username: ""',
      ],
      ...[
        'pidfile: ""',
        'use-syslog: no',
        'verbosity: 1',
        'local-zone: "cluster.local." static',
        'directory: ""',
      ],
      'remote-control:',
      ' control-enable: no',
    ].join('\n '),
  );
  const unbound = node.network.spawn(node.network.node, 'bash', '-c', `exec unbound -d -p -c ${config} 2>&1`);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    unbound.stdout?.on('data', (bytes) => {
      said += String(bytes);
      if (said.includes('start of service')) resolve();
    });
    unbound.once('exit', () => reject(new Error(said)));
  });
  expect((await judged('169.254.53.53')).pod).toMatchObject({ verdict: 'ENTERED' });
  await node.network.kill(unbound);
  release('resolver');
});

test('a server elsewhere that the pods are told to ask is none of the node', async () => {
  node.network.translate(VIP, '172.20.0.30');
  expect(await judged(VIP)).toMatchObject({ pod: { verdict: 'BYPASSED' }, ids: ['D01'] });
  // Nobody translates, nobody on the node listens: it is asked directly, and nothing on the way shows more.
  node.network.inNode('nft', 'flush', 'ruleset');
  expect((await judged('172.20.0.30')).pod?.verdict).not.toBe('ENTERED');
});
