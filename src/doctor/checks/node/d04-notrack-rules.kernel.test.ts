/** Rules of a node cache that are missing, that are there, and that somebody in front of them makes useless. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestPod } from '../../../datapath/testing/test-network.ts';
import { RealNode } from '../../testing/real-node.ts';
import { d04 } from './d04-notrack-rules.ts';

const VIP = '10.96.0.10';
/** Longer than all tests here take: how old the cache is must not depend on them. */
const SYNC_SECONDS = 600;
const LATER = { laterMs: 2 * SYNC_SECONDS * 1000 };

let node: RealNode;
let client: TestPod;

beforeAll(async () => {
  node = new RealNode('d04');
  client = node.network.addPod('client', '172.20.0.20');
  const server = node.network.addPod('server', '172.20.0.30');
  await node.network.serve(server.netns, server.address, '192.0.2.1');
  await node.startNodeCache('-localip', VIP, '-syncinterval', String(SYNC_SECONDS));
});

afterEach(() => {
  node.network.inNode('nft', 'flush', 'ruleset');
  node.network.inNode('iptables-legacy', '-t', 'raw', '-F');
});

afterAll(() => node.close());

function notrack(program: string): void {
  for (const protocol of ['udp', 'tcp'])
    node.network.inNode(
      program,
      ...['-t', 'raw', '-I', 'PREROUTING', '-d', VIP, '-p', protocol, '--dport', '53', '-j', 'NOTRACK'],
    );
}

describe('d04', () => {
  test("takes kube-proxy's rules for no sign while nobody asks: untracked packets pass them by", async () => {
    node.network.translate(VIP, '172.20.0.30');
    expect(await node.findings(d04, LATER)).toMatchObject([{ severity: 'bypassed' }]);
    notrack('iptables-nft');
    expect(await node.findings(d04, LATER)).toEqual([]);
  });

  test.each(['iptables-nft', 'iptables-legacy'])(
    'finds that there are none, until %s adds them',
    async (program) => {
      expect(await node.findings(d04, LATER)).toMatchObject([{ id: 'D04', severity: 'warning' }]);
      notrack(program);
      expect(await node.findings(d04, LATER)).toEqual([]);
    },
  );

  test('says bypassed where connection tracking shows who answers instead', async () => {
    node.network.translate(VIP, '172.20.0.30');
    expect(node.network.dig(client, `@${VIP}`, 'www.example')).toBe('192.0.2.1');
    const [finding] = await node.findings(d04, LATER);
    expect(finding).toMatchObject({ severity: 'bypassed' });
    expect(finding?.evidence.join('\n')).toContain(`172.20.0.20 asked ${VIP}, 172.20.0.30 answers`);
  });

  test('finds rules that no packet meets while somebody else is seen to answer, until one does', async () => {
    node.network.translate(VIP, '172.20.0.30');
    expect(node.network.dig(client, `@${VIP}`, 'www.example')).toBe('192.0.2.1');
    notrack('iptables-nft');
    const [finding] = await node.findings(d04, LATER);
    expect(finding).toMatchObject({
      severity: 'bypassed',
      title: expect.stringContaining('no packet meets them'),
    });
    node.network.run(client.netns, 'bash', '-c', `echo x > /dev/udp/${VIP}/53`);
    expect(await node.findings(d04, LATER)).toEqual([]);
  });

  test('leaves a cache that has just started to D05', async () => {
    expect(await node.findings(d04)).toEqual([]);
  });
});
