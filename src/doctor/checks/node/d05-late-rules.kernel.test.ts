/** A node cache that has just started, before and after its interface and rules are there. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RealNode } from '../../testing/real-node.ts';
import { d05 } from './d05-late-rules.ts';

const IP = '169.254.20.10';
/** Longer than all tests here take: how old the cache is must not depend on them. */
const SYNC_SECONDS = 600;

let node: RealNode;

beforeAll(async () => {
  node = new RealNode('d05');
  await node.startNodeCache('-localip', IP, '-syncinterval', String(SYNC_SECONDS));
});

afterAll(() => node.close());

test('a cache that is younger than its interval and has set nothing up is found until it has', async () => {
  const [finding] = await node.findings(d05);
  expect(finding).toMatchObject({ id: 'D05', severity: 'warning' });
  expect(finding?.evidence).toContain(`no interface has ${IP} yet`);
  expect(finding?.cause).toContain('-pidfile');
  node.network.inNode('ip', 'link', 'add', 'nodelocaldns', 'type', 'bridge');
  node.network.inNode('ip', 'addr', 'add', `${IP}/32`, 'dev', 'nodelocaldns');
  expect((await node.findings(d05))[0]?.evidence).toContain(`no rule NOTRACK for ${IP} port 53 yet`);
  const rule = ['-t', 'raw', '-I', 'PREROUTING', '-d', IP, '-p', 'udp', '--dport', '53', '-j', 'NOTRACK'];
  node.network.inNode('iptables-nft', ...rule);
  expect(await node.findings(d05)).toEqual([]);
});

test('an old one is not found here', async () => {
  node.network.inNode('nft', 'flush', 'ruleset');
  expect(await node.findings(d05)).toHaveLength(1);
  expect(await node.findings(d05, { laterMs: (SYNC_SECONDS + 1) * 1000 })).toEqual([]);
});
