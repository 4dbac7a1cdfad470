import { describe, expect, it } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { formatRule, parseListedRule, ruleKey, rulesFor } from './rules.ts';

const ip = (text: string): Ip => {
  const value = parseIp(text);
  if (value === undefined) throw new Error(`Not an address: ${text}`);
  return value;
};

const RULES = rulesFor({ ip: ip('169.254.20.10'), port: 53, healthPort: 8080 });

describe('rulesFor', () => {
  it('gives the twelve rules of dns-server 4.7 in their order', () => {
    expect(RULES.map((rule) => formatRule(rule).replace(/ -m comment.*/, ''))).toEqual([
      '{raw PREROUTING [-p tcp -d 169.254.20.10 --dport 53 -j NOTRACK',
      '{raw PREROUTING [-p udp -d 169.254.20.10 --dport 53 -j NOTRACK',
      '{filter INPUT [-p tcp -d 169.254.20.10 --dport 53 -j ACCEPT',
      '{filter INPUT [-p udp -d 169.254.20.10 --dport 53 -j ACCEPT',
      '{raw OUTPUT [-p tcp -s 169.254.20.10 --sport 53 -j NOTRACK',
      '{raw OUTPUT [-p udp -s 169.254.20.10 --sport 53 -j NOTRACK',
      '{filter OUTPUT [-p tcp -s 169.254.20.10 --sport 53 -j ACCEPT',
      '{filter OUTPUT [-p udp -s 169.254.20.10 --sport 53 -j ACCEPT',
      '{raw OUTPUT [-p tcp -d 169.254.20.10 --dport 53 -j NOTRACK',
      '{raw OUTPUT [-p udp -d 169.254.20.10 --dport 53 -j NOTRACK',
      '{raw OUTPUT [-p tcp -d 169.254.20.10 --dport 8080 -j NOTRACK',
      '{raw OUTPUT [-p tcp -s 169.254.20.10 --sport 8080 -j NOTRACK',
    ]);
  });

  it('is printed as the original prints it', () => {
    expect(RULES.map(formatRule)[0]).toBe(
      '{raw PREROUTING [-p tcp -d 169.254.20.10 --dport 53 -j NOTRACK -m comment --comment NodeLocal DNS Cache: skip conntrack]}',
    );
  });
});

describe('parseListedRule', () => {
  it('recognises the rules of the field report', () => {
    const line =
      '-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 8080 -m comment --comment "NodeLocal DNS Cache: skip conntrack" -j NOTRACK';
    const rule = parseListedRule(line, 'raw');
    expect(rule && ruleKey(rule)).toBe('raw OUTPUT tcp s 10.96.0.10 8080');
  });

  it('recognises IPv6, and the other way to say NOTRACK', () => {
    const line =
      '-A PREROUTING -d fd00::a/128 -p udp -m udp --dport 53 -m comment --comment "NodeLocal DNS Cache: skip conntrack" -j CT --notrack';
    expect(parseListedRule(line, 'raw')?.ip).toBe('fd00::a');
  });

  const others: [name: string, line: string][] = [
    ['a rule without comment', '-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 53 -j NOTRACK'],
    [
      "somebody else's comment",
      '-A OUTPUT -s 10.96.0.10/32 -p tcp -m tcp --sport 53 -m comment --comment "mine" -j NOTRACK',
    ],
    [
      'a network',
      '-A OUTPUT -s 10.96.0.0/16 -p tcp -m tcp --sport 53 -m comment --comment "NodeLocal DNS Cache: skip conntrack" -j NOTRACK',
    ],
    ['a chain', '-N KUBE-SERVICES'],
    ['nothing', ''],
  ];
  it.each(others)('takes %s for none of ours', (_name, line) => {
    expect(parseListedRule(line, 'raw')).toBeUndefined();
  });
});
