/**
 * The rules of netfilter that say something of DNS, by the node's own tools, which only read here. Legacy tables are asked
 * for only when they are in use: asking would make them. Where something is in force that no tool here can show, nothing is
 * known: "there is no such rule" would be a guess.
 */
import { readFileSync } from 'node:fs';
import { legacyTablesInUse, programInPath } from '../../../nodecache/filter/choose-filter.ts';
import { runSteps, type Steps } from '../../../nodecache/filter/steps.ts';
import { nftChainNames } from '../../../sys/netlink/nft-chains.ts';
import { type Known, known, unknown } from '../known.ts';
import type { RuleFact } from '../node-facts.ts';
import { type Listing, MAX_RULES, parseRuleset, parseSaved } from './parse-rules.ts';

export interface FilterReading {
  readonly rules: Known<readonly RuleFact[]>;
  /** Names of chains, for who they are a sign of. */
  readonly chains: { readonly nft: readonly string[]; readonly legacy: readonly string[] };
}

export interface RuleReadingOptions {
  /** Rules that name one of these are kept besides: cluster IPs of DNS. */
  readonly addresses: readonly string[];
  /** Milliseconds for all tools together. */
  readonly timeoutMs: number;
  readonly monotonicMs: () => number;
  /** Whether there is a program of this name. Default: in PATH. */
  readonly hasProgram?: (name: string) => boolean;
}

const FAMILIES = [
  { family: 'ip', prefix: 'iptables' },
  { family: 'ip6', prefix: 'ip6tables' },
] as const;

/** Of the namespace of the calling thread. Throws SYS_CALL_FAILED. */
export async function readRules(options: RuleReadingOptions): Promise<FilterReading> {
  const { hasProgram = programInPath(process.env.PATH ?? ''), timeoutMs, monotonicMs, addresses } = options;
  const endMs = monotonicMs() + timeoutMs;
  const chains = nftChainNames();
  const work = gather({ hasProgram, addresses, nftChains: chains });
  const found = await runSteps(work, { leftMs: () => endMs - monotonicMs() });
  if (found === undefined)
    return {
      rules: unknown(`the rules took longer than ${timeoutMs} ms`),
      chains: { nft: chains, legacy: [] },
    };
  const rules = found.blind === undefined ? known(found.rules.slice(0, MAX_RULES)) : unknown(found.blind);
  return { rules, chains: { nft: chains, legacy: found.legacyChains } };
}

interface Gathered {
  readonly rules: readonly RuleFact[];
  readonly legacyChains: readonly string[];
  /** Why not everything is there. */
  readonly blind?: string;
}

interface Means {
  readonly hasProgram: (name: string) => boolean;
  readonly addresses: readonly string[];
  readonly nftChains: readonly string[];
}

function* gather(means: Means): Steps<Gathered> {
  const legacy = yield* legacyRules(means);
  const nft = yield* nftRules(means);
  const blind = legacy.blind ?? nft.blind;
  return {
    rules: [...legacy.rules, ...nft.rules],
    legacyChains: legacy.legacyChains,
    ...(blind === undefined ? {} : { blind }),
  };
}

function* legacyRules({ hasProgram, addresses }: Means): Steps<Gathered> {
  const listings: Listing[] = [];
  for (const { family, prefix } of FAMILIES) {
    for (const table of family === 'ip' ? legacyTablesInUse() : legacyTables6InUse()) {
      const file = `${prefix}-legacy-save`;
      if (!hasProgram(file)) return empty(`legacy iptables is in use and ${file} is not installed`);
      const { code, stdout, stderr } = yield { file, args: ['-c', '-t', table] };
      if (code !== 0) return empty(`${file} failed: ${firstLine(stderr)}`);
      listings.push(parseSaved(stdout, { backend: 'iptables-legacy', family }, addresses));
    }
  }
  return {
    rules: listings.flatMap(({ rules }) => rules),
    legacyChains: listings.flatMap(({ chains }) => chains),
  };
}

/** iptables-nft shows its own with their comments; the rest is told by nft. */
function* nftRules({ hasProgram, addresses, nftChains }: Means): Steps<Gathered> {
  if (nftChains.length === 0) return { rules: [], legacyChains: [] };
  const listings: Listing[] = [];
  for (const { family, prefix } of FAMILIES) {
    const file = `${prefix}-nft-save`;
    if (!hasProgram(file)) continue;
    const { code, stdout } = yield { file, args: ['-c'] };
    if (code === 0) listings.push(parseSaved(stdout, { backend: 'nft', family }, addresses));
  }
  if (hasProgram('nft')) {
    const { code, stdout, stderr } = yield { file: 'nft', args: ['-n', 'list', 'ruleset'] };
    if (code !== 0) return empty(`nft failed: ${firstLine(stderr)}`);
    const told = new Set(listings.flatMap(({ tables }) => tables));
    listings.push(parseRuleset(stdout, (table) => told.has(table), addresses));
  } else {
    const seen = new Set(listings.flatMap(({ chains }) => chains));
    const unseen = nftChains.find((name) => !seen.has(name));
    if (unseen !== undefined)
      return empty(`nftables is in use (chain ${unseen}) and neither nft nor iptables-nft-save can show it`);
  }
  return { rules: listings.flatMap(({ rules }) => rules), legacyChains: [] };
}

function empty(blind: string): Gathered {
  return { rules: [], legacyChains: [], blind };
}

function legacyTables6InUse(): readonly string[] {
  try {
    return readFileSync('/proc/self/net/ip6_tables_names', 'utf8').split('\n').filter(Boolean);
  } catch {
    // A kernel without legacy tables has no such file.
    return [];
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
