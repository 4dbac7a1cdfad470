/**
 * The rules as an nftables table of our own, for nodes without iptables: one table, replaced as a whole in one
 * transaction, so that there is never half of it. The meaning is that of the iptables rules but for one thing that
 * nftables does not have: an `accept` here does not keep a chain of somebody else's from dropping the packet later.
 */
import { ipFamily } from '../../net/ip.ts';
import type { FilterReport, PacketFilter } from './packet-filter.ts';
import {
  formatRule,
  type NodeRule,
  nodeRule,
  type RuleChain,
  type RuleTable,
  ruleComment,
  ruleKey,
} from './rules.ts';
import type { Steps } from './steps.ts';

/** Chain of the table to what it stands for. Priorities by number: not all versions know all names everywhere. */
const CHAINS: readonly { name: string; table: RuleTable; chain: RuleChain; hook: string }[] = [
  { name: 'raw_prerouting', table: 'raw', chain: 'PREROUTING', hook: 'prerouting priority -300' },
  { name: 'raw_output', table: 'raw', chain: 'OUTPUT', hook: 'output priority -300' },
  { name: 'filter_input', table: 'filter', chain: 'INPUT', hook: 'input priority 0' },
  { name: 'filter_output', table: 'filter', chain: 'OUTPUT', hook: 'output priority 0' },
];

export function nftFilter(version: string, report: FilterReport): PacketFilter {
  const { interfaceName } = report;
  const table = nftTableName(interfaceName);

  function* replace(rules: readonly NodeRule[], what: string): Steps<boolean> {
    const { code, stderr } = yield { file: 'nft', args: ['-f', '-'], stdin: nftScript(table, rules) };
    if (code === 0) return true;
    report.log().error(`${what} nftables table ${table}, error - exit status ${code}: ${firstLine(stderr)}`);
    report.failed('iptables');
    return false;
  }

  function* list(): Steps<readonly NodeRule[]> {
    const { stdout } = yield { file: 'nft', args: ['-n', 'list', 'table', 'inet', table] };
    return parseNftTable(stdout);
  }

  function* ensure(rules: readonly NodeRule[]): Steps<void> {
    const inForce = yield* list();
    const known = new Set(inForce.map(ruleKey));
    const missing = rules.filter((rule) => !known.has(ruleKey(rule)));
    if (missing.length === 0) return;
    if (!(yield* replace([...inForce, ...missing], 'Error checking/adding'))) return;
    for (const rule of missing) {
      report.log().info(`Added back ${interfaceName} rule - ${formatRule(rule)}`);
    }
  }

  return {
    name: `nft ${version}`,
    list,
    ensure,
    insert: ensure,
    *remove(rules) {
      if (rules.length === 0) return [];
      const inForce = yield* list();
      const unwanted = new Set(rules.map(ruleKey));
      const kept = inForce.filter((rule) => !unwanted.has(ruleKey(rule)));
      return (yield* replace(kept, 'Failed deleting')) ? [] : rules;
    },
  };
}

/** Interface names may hold what nftables takes for syntax. */
export function nftTableName(interfaceName: string): string {
  return `zerohop_${interfaceName.replaceAll(/[^A-Za-z0-9_]/g, '_')}`;
}

/** Without rules the table goes. Naming a table before deleting it makes the deletion work when there is none. */
export function nftScript(table: string, rules: readonly NodeRule[]): string {
  const clear = `table inet ${table}\ndelete table inet ${table}\n`;
  if (rules.length === 0) return clear;
  const chains = CHAINS.map(({ name, table: of, chain, hook }) => {
    const lines = rules
      .filter((rule) => rule.table === of && rule.chain === chain)
      .map((rule) => `    ${nftRule(rule)}\n`);
    return `  chain ${name} {\n    type filter hook ${hook}; policy accept;\n${lines.join('')}  }\n`;
  });
  return `${clear}table inet ${table} {\n${chains.join('')}}\n`;
}

function nftRule(rule: NodeRule): string {
  const { table, protocol, side, ip, port } = rule;
  const match = `${ipFamily(ip) === 6 ? 'ip6' : 'ip'} ${side}addr ${ip} ${protocol} ${side}port ${port}`;
  return `${match} ${table === 'raw' ? 'notrack' : 'accept'} comment "${ruleComment(rule)}"`;
}

/** What is in force, from `nft list table`; lines that we would not have written are not seen, and so replaced. */
export function parseNftTable(text: string): readonly NodeRule[] {
  const rules: NodeRule[] = [];
  let current: (typeof CHAINS)[number] | undefined;
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const name = /^chain (\S+) \{$/.exec(line)?.[1];
    if (name !== undefined) current = CHAINS.find((chain) => chain.name === name);
    const match = /^ip6? ([ds])addr (\S+) (tcp|udp) \1port (\d+) (?:notrack|accept) comment ".*"$/.exec(line);
    if (match === null || current === undefined) continue;
    const [, side, ip, protocol, port] = match;
    const rule = nodeRule({ table: current.table, chain: current.chain, protocol, side, ip, port });
    if (rule !== undefined) rules.push(rule);
  }
  return rules;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
