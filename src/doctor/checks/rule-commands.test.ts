import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { known } from '../site/known.ts';
import type { RuleFact } from '../site/node-facts.ts';
import { address } from '../testing/live-site.ts';
import { notrackCommand, removeRule } from './rule-commands.ts';

const VIP = address('10.96.0.10');

const rule = (fields: Partial<RuleFact>): RuleFact => ({
  ...{ backend: 'nft', family: 'ip', table: 'raw', chain: 'PREROUTING', verdict: 'notrack', text: '' },
  ...fields,
});

/** What a program of these names would be given by a shell into which the command is pasted. */
function wordsOf(command: string): readonly string[] {
  const names = ['iptables-nft', 'iptables-legacy', 'ip6tables-nft', 'nft'];
  const functions = names.map((name) => `${name}() { printf '%s\\0' ${name} "$@"; }`).join('\n');
  return execFileSync('bash', ['-c', `${functions}\n${command}`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

describe('removeRule', () => {
  it.each([
    { name: 'blanks', saved: '"NodeLocal DNS Cache: skip"', given: 'NodeLocal DNS Cache: skip' },
    { name: 'a substitution', saved: '"$(echo PWNED >&2)"', given: '$(echo PWNED >&2)' },
    { name: 'quotes of both kinds', saved: '"a\\"b\\\'c\\\\d"', given: 'a"b\'c\\d' },
    { name: 'a semicolon without quotes', saved: 'a;reboot', given: 'a;reboot' },
  ])('gives the rule to iptables as it is where its comment has $name', ({ saved, given }) => {
    const text = `-A PREROUTING -d 10.96.0.10/32 -m comment --comment ${saved} -j NOTRACK`;
    expect(wordsOf(removeRule(rule({ text })))).toEqual([
      ...['iptables-nft', '-t', 'raw', '-D', 'PREROUTING', '-d', '10.96.0.10/32'],
      ...['-m', 'comment', '--comment', given, '-j', 'NOTRACK'],
    ]);
  });

  it.each([
    { name: 'nft', text: 'udp dport 53 notrack', program: 'nft' },
    { name: 'a rule that was cut', text: `-A x ${'y'.repeat(400)}...`, program: 'iptables-nft' },
  ])('only lists where no command can name the rule: $name', ({ text, program }) => {
    const words = wordsOf(removeRule(rule({ text, table: "a'; reboot; '", chain: '$(reboot)' })));
    expect(words[0]).toBe(program);
    expect(words).toContain("a'; reboot; '");
    expect(words).toContain('$(reboot)');
    expect(words).not.toContain('-D');
  });
});

describe('notrackCommand', () => {
  const sockets = known([{ protocol: 'UDP' as const, address: VIP, port: 53 }]);
  const held = (name: string) => known([{ name, ifindex: 3, kind: 'dummy', up: true, addresses: [VIP] }]);

  it('is there where the node has the address and somebody listens on it', () => {
    expect(notrackCommand(VIP, { interfaces: held('nodelocaldns'), sockets })).toContain(
      '-d 10.96.0.10 -p tcp',
    );
  });

  it.each([
    { name: 'nobody has the address', interfaces: known([]), sockets },
    { name: 'nobody listens', interfaces: held('nodelocaldns'), sockets: known([]) },
    { name: 'IPVS alone has it', interfaces: held('kube-dummy-if'), sockets },
  ])('is not there where queries would then go to nobody: $name', (facts) => {
    expect(notrackCommand(VIP, facts)).toBeUndefined();
  });
});
