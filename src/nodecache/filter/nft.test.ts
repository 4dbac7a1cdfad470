import { describe, expect, it } from 'vitest';
import { type Ip, parseIp } from '../../net/ip.ts';
import { nftScript, nftTableName, parseNftTable } from './nft.ts';
import { type NodeRule, ruleKey, rulesFor } from './rules.ts';

const ips = ['169.254.20.10', 'fd00::10'].map(parseIp).filter((ip): ip is Ip => ip !== undefined);
const RULES = ips.flatMap((ip) => rulesFor({ ip, port: 53, healthPort: 8080 }));

const keys = (rules: readonly NodeRule[]) => rules.map(ruleKey).sort();

describe('nftScript', () => {
  it('replaces the table in one transaction', () => {
    const script = nftScript('zerohop_x', RULES);
    expect(script).toMatch(/^table inet zerohop_x\ndelete table inet zerohop_x\ntable inet zerohop_x \{\n/);
    expect(script).toContain('type filter hook prerouting priority -300; policy accept;');
    expect(script).toContain(
      'ip daddr 169.254.20.10 udp dport 53 notrack comment "NodeLocal DNS Cache: skip conntrack"',
    );
    expect(script).toContain(
      'ip6 saddr fd00::10 tcp sport 53 accept comment "NodeLocal DNS Cache: allow DNS traffic"',
    );
  });

  it('says what parseNftTable reads', () => {
    expect(keys(parseNftTable(nftScript('zerohop_x', RULES)))).toEqual(keys(RULES));
  });

  it('only deletes when no rule is wanted', () => {
    expect(nftScript('zerohop_x', [])).toBe('table inet zerohop_x\ndelete table inet zerohop_x\n');
  });
});

describe('nftTableName', () => {
  it('lets nothing of an interface name become syntax', () => {
    expect(nftTableName('a-b;{}.c')).toBe('zerohop_a_b____c');
  });
});
