/** One rule three times, by a real iptables; the printed commands leave one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { known } from '../../site/known.ts';
import { RealNode } from '../../testing/real-node.ts';
import { d08 } from './d08-duplicate-rules.ts';

let node: RealNode;

beforeAll(() => {
  node = new RealNode('d08');
});

afterAll(() => node.close());

test.each(['iptables-nft', 'iptables-legacy'])(
  'a rule that %s added again is found until it is there once',
  async (program) => {
    const add = () =>
      node.network.inNode(
        program,
        '-I',
        'INPUT',
        '-d',
        '169.254.20.10',
        '-p',
        'udp',
        '--dport',
        '53',
        '-j',
        'ACCEPT',
      );
    add();
    expect(await node.findings(d08)).toEqual([]);
    add();
    add();
    const [finding] = await node.findings(d08);
    expect(finding).toMatchObject({ id: 'D08', severity: 'warning' });
    expect(finding?.evidence[0]).toMatch(/^3 times /);
    node.network.inNode('bash', '-ec', finding?.fix.text ?? 'false');
    expect(await node.findings(d08)).toEqual([]);
    expect(node.network.inNode(program, '-S', 'INPUT')).toContain('169.254.20.10');
    node.network.inNode(program, '-F', 'INPUT');
  },
);

test('programs that wait for the lock are found', async () => {
  const xtablesLock = known({ path: '/run/xtables.lock', holders: [7], waiting: [8, 9] });
  expect(await node.findings(d08, { facts: { xtablesLock } })).toMatchObject([
    { evidence: ['/run/xtables.lock is held by process 7; 2 wait: 8, 9'] },
  ]);
});
