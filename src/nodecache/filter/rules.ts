/**
 * The packet filter rules of a node cache as values (dns-server 4.7): which there are, how iptables is told, how they are
 * printed, and how a rule of ours is recognised in a listing. Pure; arguments, order and comments are those of the
 * original, so that its rules are ours.
 */
import { type Ip, parseIp } from '../../net/ip.ts';

export type RuleTable = 'raw' | 'filter';
export type RuleChain = 'PREROUTING' | 'INPUT' | 'OUTPUT';

/** One packet filter rule; two are the same when their `ruleKey`s are. */
export interface NodeRule {
  readonly table: RuleTable;
  readonly chain: RuleChain;
  readonly protocol: 'tcp' | 'udp';
  /** `d`: packets to the address; `s`: packets from it. */
  readonly side: 'd' | 's';
  readonly ip: Ip;
  readonly port: number;
}

/** What an address needs rules for. */
export interface RuleSpec {
  readonly ip: Ip;
  readonly port: number;
  readonly healthPort: number;
}

export const SKIP_CONNTRACK = 'NodeLocal DNS Cache: skip conntrack';
export const ALLOW_TRAFFIC = 'NodeLocal DNS Cache: allow DNS traffic';

/** Where rules of ours can be. */
export const RULE_CHAINS: readonly (readonly [RuleTable, RuleChain])[] = [
  ['raw', 'PREROUTING'],
  ['raw', 'OUTPUT'],
  ['filter', 'INPUT'],
  ['filter', 'OUTPUT'],
];

/** Twelve, in the order in which they are inserted, each at the head of its chain. */
export function rulesFor({ ip, port, healthPort }: RuleSpec): readonly NodeRule[] {
  const pair = (table: RuleTable, chain: RuleChain, side: 'd' | 's'): NodeRule[] => [
    { table, chain, protocol: 'tcp', side, ip, port },
    { table, chain, protocol: 'udp', side, ip, port },
  ];
  return [
    ...pair('raw', 'PREROUTING', 'd'),
    ...pair('filter', 'INPUT', 'd'),
    ...pair('raw', 'OUTPUT', 's'),
    ...pair('filter', 'OUTPUT', 's'),
    ...pair('raw', 'OUTPUT', 'd'),
    { table: 'raw', chain: 'OUTPUT', protocol: 'tcp', side: 'd', ip, port: healthPort },
    { table: 'raw', chain: 'OUTPUT', protocol: 'tcp', side: 's', ip, port: healthPort },
  ];
}

export function ruleComment({ table }: NodeRule): string {
  return table === 'raw' ? SKIP_CONNTRACK : ALLOW_TRAFFIC;
}

/** What stands behind the table in iptables' arguments. */
export function ruleArguments(rule: NodeRule): readonly string[] {
  const { table, protocol, side, ip, port } = rule;
  const match = ['-p', protocol, `-${side}`, ip, `--${side}port`, String(port)];
  const target = table === 'raw' ? 'NOTRACK' : 'ACCEPT';
  return [...match, '-j', target, '-m', 'comment', '--comment', ruleComment(rule)];
}

/** As log lines show it: `{raw OUTPUT [-p tcp …]}`. */
export function formatRule(rule: NodeRule): string {
  return `{${rule.table} ${rule.chain} [${ruleArguments(rule).join(' ')}]}`;
}

export function ruleKey({ table, chain, protocol, side, ip, port }: NodeRule): string {
  return `${table} ${chain} ${protocol} ${side} ${ip} ${port}`;
}

/** Reads a line of `iptables -S`; undefined when it is no rule of a node cache. Older ones carry no comment: not ours. */
export function parseListedRule(line: string, table: RuleTable): NodeRule | undefined {
  const comment = table === 'raw' ? SKIP_CONNTRACK : ALLOW_TRAFFIC;
  const chain = /^-A (PREROUTING|INPUT|OUTPUT) /.exec(line)?.[1];
  const protocol = / -p (tcp|udp) /.exec(line)?.[1];
  const address = / -([ds]) ([0-9a-f.:]+)\/(?:32|128) /.exec(line);
  const ports = / --([ds])port (\d+) /.exec(line);
  if (!line.includes(` --comment "${comment}" `) || address === null || ports === null) return undefined;
  return nodeRule({ table, chain, protocol, side: address[1], ip: address[2], port: ports[2] });
}

/** Puts the texts of a listing together; undefined when one is missing or says something else. */
export function nodeRule(texts: {
  readonly table: RuleTable;
  readonly chain: string | undefined;
  readonly protocol: string | undefined;
  readonly side: string | undefined;
  readonly ip: string | undefined;
  readonly port: string | undefined;
}): NodeRule | undefined {
  const { table, chain, protocol, side } = texts;
  const ip = parseIp(texts.ip ?? '');
  const port = Number(texts.port);
  if (chain !== 'PREROUTING' && chain !== 'INPUT' && chain !== 'OUTPUT') return undefined;
  if ((protocol !== 'tcp' && protocol !== 'udp') || (side !== 'd' && side !== 's')) return undefined;
  return ip === undefined || !Number.isInteger(port) ? undefined : { table, chain, protocol, side, ip, port };
}
