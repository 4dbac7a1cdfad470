/** Rules of both flavours of iptables and of nft, put there by their tools and read back. Needs root. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestNetwork } from '../../../datapath/testing/test-network.ts';
import { programInPath } from '../../../nodecache/filter/choose-filter.ts';
import { systemClock } from '../../../telemetry/clock.ts';
import { isKnown, knownOr } from '../known.ts';
import { readRules } from './read-rules.ts';

const LOCAL = '169.254.20.10';
const COMMENT = 'NodeLocal DNS Cache: skip conntrack';
const hasProgram = programInPath(process.env.PATH ?? '');

let network: TestNetwork;

beforeAll(() => {
  network = new TestNetwork('rules');
  network.enterNode();
});

afterAll(() => network.close());

function read(has = hasProgram) {
  const { monotonicMs } = systemClock;
  return readRules({ addresses: ['10.96.0.10'], timeoutMs: 8000, monotonicMs, hasProgram: has });
}

describe('readRules', () => {
  test('finds nothing where nothing is, without any tool', async () => {
    const { rules, chains } = await read(() => false);
    expect(rules).toEqual({ value: [] });
    expect(chains).toEqual({ nft: [], legacy: [] });
  });

  test.each([
    { flavour: 'iptables-nft', backend: 'nft', family: 'ip', ip: LOCAL },
    { flavour: 'iptables-legacy', backend: 'iptables-legacy', family: 'ip', ip: LOCAL },
    { flavour: 'ip6tables-nft', backend: 'nft', family: 'ip6', ip: 'fd00::a' },
  ])('sees what $flavour put there, once, and no more when it is gone', async (row) => {
    const { flavour, backend, family, ip } = row;
    const rule = ['PREROUTING', '-t', 'raw', '-p', 'udp', '-d', ip, '--dport', '53', '-j', 'NOTRACK'];
    const comment = ['-m', 'comment', '--comment', COMMENT];
    network.inNode(flavour, '-I', ...rule, ...comment);
    const { rules } = await read();
    expect(knownOr(rules, [])).toMatchObject([
      {
        backend,
        family,
        table: 'raw',
        chain: 'PREROUTING',
        verdict: 'notrack',
        destination: ip,
        protocol: 'UDP',
        destinationPort: 53,
        comment: COMMENT,
        packets: 0,
      },
    ]);
    network.inNode(flavour, '-D', ...rule, ...comment);
    expect((await read()).rules).toEqual({ value: [] });
  });

  test("sees nft's own tables beside those of iptables, and says so when there is no tool for them", async () => {
    network.inNode('iptables-nft', '-A', 'FORWARD', '-d', '10.96.0.10', '-j', 'DROP');
    network.inNode('nft', 'add table inet other');
    network.inNode('nft', 'add chain inet other c { type filter hook input priority 5; }');
    network.inNode(
      'nft',
      'add rule inet other c ip saddr 10.1.2.3 tcp sport 53 counter reject comment "no DNS"',
    );
    const { rules } = await read();
    expect(knownOr(rules, [])).toMatchObject([
      { table: 'filter', chain: 'FORWARD', verdict: 'drop', destination: '10.96.0.10' },
      {
        table: 'other',
        family: 'inet',
        verdict: 'reject',
        source: '10.1.2.3',
        sourcePort: 53,
        comment: 'no DNS',
      },
    ]);
    const blind = (await read((name) => name !== 'nft' && hasProgram(name))).rules;
    expect(isKnown(blind) ? '' : blind.unknown).toContain('chain c');
  });
});
