/**
 * The rules by iptables and ip6tables (dns-server 4.7 and 4.8): checked before inserted, each at the head of its chain,
 * which puts them in front of whatever else the node has there. Rules of both families in one list; each goes to the
 * program of its own.
 */
import { ipFamily } from '../../net/ip.ts';
import { type FilterReport, filterErrorType, type PacketFilter } from './packet-filter.ts';
import { formatRule, type NodeRule, parseListedRule, RULE_CHAINS, ruleArguments, ruleKey } from './rules.ts';
import type { CommandResult, Steps } from './steps.ts';

export interface IptablesPrograms {
  /** `iptables-nft`; the other family's is named alike. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** What `--version` printed. */
  readonly version: string;
  readonly families: ReadonlySet<4 | 6>;
}

/** Of `-C` and `-D`: there is no such rule. */
const ABSENT = 1;
/** More than anyone has seen; a program that always says "deleted" must not keep us for ever. */
const MAX_DUPLICATES = 1000;

export function iptablesFilter(programs: IptablesPrograms, report: FilterReport): PacketFilter {
  const { ipv4, ipv6, version, families } = programs;
  const wait = waitArguments(version);
  const programOf = (rule: NodeRule) => (ipFamily(rule.ip) === 6 ? ipv6 : ipv4);
  const command = (option: string, rule: NodeRule) => ({
    file: programOf(rule),
    args: [...wait, option, rule.chain, '-t', rule.table, ...ruleArguments(rule)],
  });

  function* ensureOne(rule: NodeRule): Steps<void> {
    const { log, interfaceName } = report;
    const check = yield command('-C', rule);
    if (check.code === 0) {
      log().debug(`iptables rule ${formatRule(rule)} for ${interfaceName} already exists`);
      return;
    }
    if (check.code !== ABSENT) return failed(rule, `error checking rule: ${reason(check)}`, check);
    const insertion = yield command('-I', rule);
    if (insertion.code !== 0) {
      return failed(rule, `error appending rule: ${reason(insertion)}`, insertion);
    }
    added(rule);
  }

  function failed(rule: NodeRule, text: string, { stderr }: CommandResult): void {
    report.log().error(`Error checking/adding iptables rule ${formatRule(rule)}, error - ${text}`);
    report.failed(filterErrorType(stderr));
  }

  /** One command for all rules of a family: on a busy node two dozen commands take longer than one may wait. */
  function* insertAll(file: string, rules: readonly NodeRule[]): Steps<void> {
    if (rules.length === 0) return;
    const args = [...wait, '--noflush'];
    const { code } = yield { file: `${file}-restore`, args, stdin: restoreScript(rules) };
    if (code !== 0) return;
    for (const rule of rules) added(rule);
  }

  function added(rule: NodeRule): void {
    report.log().info(`Added back ${report.interfaceName} rule - ${formatRule(rule)}`);
  }

  /** Says whether none is left. */
  function* removeOne(rule: NodeRule): Steps<boolean> {
    for (let i = 0; i < MAX_DUPLICATES; i++) {
      const result = yield command('-D', rule);
      if (result.code === ABSENT) return true;
      if (result.code === 0) continue;
      report
        .log()
        .error(
          `Failed deleting iptables rule ${formatRule(rule)}, error - error deleting rule: ${reason(result)}`,
        );
      report.failed(filterErrorType(result.stderr));
      return false;
    }
    return false;
  }

  return {
    name: `${ipv4} ${version}`,
    *ensure(rules) {
      for (const rule of rules) yield* ensureOne(rule);
    },
    *insert(rules) {
      yield* insertAll(
        ipv4,
        rules.filter(({ ip }) => ipFamily(ip) === 4),
      );
      yield* insertAll(
        ipv6,
        rules.filter(({ ip }) => ipFamily(ip) === 6),
      );
    },
    *remove(rules) {
      const left: NodeRule[] = [];
      for (const rule of rules) if (!(yield* removeOne(rule))) left.push(rule);
      return left;
    },
    *list() {
      const found = new Map<string, NodeRule>();
      for (const family of families) {
        for (const [table, chain] of RULE_CHAINS) {
          const file = family === 6 ? ipv6 : ipv4;
          const { stdout, stderr } = yield { file, args: [...wait, '-t', table, '-S', chain] };
          if (filterErrorType(stderr) === 'iptables_lock') return undefined;
          for (const line of stdout.split('\n')) {
            const rule = parseListedRule(line, table);
            if (rule !== undefined) found.set(ruleKey(rule), rule);
          }
        }
      }
      return [...found.values()];
    },
  };
}

/** What iptables-restore reads: for each table its commands, in force together at COMMIT. */
function restoreScript(rules: readonly NodeRule[]): string {
  const tables = [...new Set(rules.map(({ table }) => table))];
  return tables
    .map((table) => {
      const lines = rules
        .filter((rule) => rule.table === table)
        .map((rule) => `-I ${rule.chain} ${ruleArguments(rule).map(quoted).join(' ')}\n`);
      return `*${table}\n${lines.join('')}COMMIT\n`;
    })
    .join('');
}

function quoted(word: string): string {
  return word.includes(' ') ? `"${word}"` : word;
}

/** `-w 5` since 1.4.22, `-w` since 1.4.20; before that there was no lock to wait for. */
export function waitArguments(version: string): readonly string[] {
  const match = /v(\d+)\.(\d+)\.(\d+)/.exec(version);
  const [major, minor, patch] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3])];
  const number = major * 1_000_000 + minor * 1000 + patch;
  // What prints no version that we know is newer than we are.
  if (match === null || number >= 1_004_022) return ['-w', '5'];
  return number >= 1_004_020 ? ['-w'] : [];
}

function reason({ code, stderr }: CommandResult): string {
  const text = stderr.trim().replace(/\s*\n\s*/g, ' ');
  return code < 0 ? text : `exit status ${code}: ${text}`;
}
