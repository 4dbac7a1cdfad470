/**
 * Which packet filter a node uses. Two flavours of iptables write to two places in the kernel; rules in the one that
 * nobody else uses work, but confuse whoever looks. The kubelet and kube-proxy leave chains in the flavour they use.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { iptablesFilter } from './iptables.ts';
import { nftFilter } from './nft.ts';
import type { FilterReport, PacketFilter } from './packet-filter.ts';
import type { Steps } from './steps.ts';

export interface ChooseOptions {
  readonly families: ReadonlySet<4 | 6>;
  readonly report: FilterReport;
  /** Whether PATH has a program of this name. */
  readonly hasProgram: (name: string) => boolean;
  /** Legacy tables in use in this network namespace; asking the legacy program would create them. */
  readonly legacyTables: () => readonly string[];
}

const HINTS = /KUBE-(IPTABLES-HINT|KUBELET-CANARY)/;
/** The kubelet's chains are in the first, which is small; the others may hold thousands of rules. */
const TABLES: readonly (readonly string[])[] = [['mangle'], ['raw', 'filter', 'nat']];

/** Undefined when the node has no program for any. */
export function* chooseFilter({
  families,
  report,
  hasProgram,
  legacyTables,
}: ChooseOptions): Steps<PacketFilter | undefined> {
  const suffix = yield* chooseFlavour(hasProgram, legacyTables);
  if (suffix !== undefined) {
    const [ipv4, ipv6] = [`iptables${suffix}`, `ip6tables${suffix}`];
    const { stdout } = yield { file: hasProgram(ipv4) ? ipv4 : ipv6, args: ['--version'] };
    const version = stdout.trim().replace(/^ip6?tables /, '');
    return iptablesFilter({ ipv4, ipv6, version, families: listedFamilies(version, families) }, report);
  }
  if (!hasProgram('nft')) return undefined;
  const { stdout } = yield { file: 'nft', args: ['--version'] };
  return nftFilter(stdout.trim().replace(/^nftables /, ''), report);
}

/** An earlier run may have had the other family; but asking a legacy program of one in disuse loads its tables. */
function listedFamilies(version: string, families: ReadonlySet<4 | 6>): ReadonlySet<4 | 6> {
  return version.includes('nf_tables') ? new Set([4, 6]) : families;
}

/** `-nft`, `-legacy`, or nothing for what the administrator has made the default. */
function* chooseFlavour(
  hasProgram: (name: string) => boolean,
  legacyTables: () => readonly string[],
): Steps<string | undefined> {
  const suffixes = ['', '-nft', '-legacy'].filter((suffix) => hasProgram(`iptables${suffix}`));
  const [first] = suffixes;
  if (!suffixes.includes('-nft') || !suffixes.includes('-legacy')) return first;
  const inUse = legacyTables();
  const [legacy, nft] = [
    { text: '', rules: 0 },
    { text: '', rules: 0 },
  ];
  for (const tables of TABLES) {
    for (const table of tables) {
      if (inUse.includes(table)) yield* lookAt('-legacy', table, legacy);
      yield* lookAt('-nft', table, nft);
    }
    if (HINTS.test(nft.text) !== HINTS.test(legacy.text)) return HINTS.test(nft.text) ? '-nft' : '-legacy';
  }
  if (nft.rules === legacy.rules) return first;
  return nft.rules > legacy.rules ? '-nft' : '-legacy';
}

function* lookAt(suffix: string, table: string, seen: { text: string; rules: number }): Steps<void> {
  const { stdout } = yield { file: `iptables${suffix}`, args: ['-t', table, '-S'] };
  seen.text += stdout;
  seen.rules += stdout.split('\n').filter((line) => line.startsWith('-A ')).length;
}

export function programInPath(path: string): (name: string) => boolean {
  return (name) => path.split(delimiter).some((directory) => isExecutable(join(directory, name)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Whatever the reason, it cannot be run.
    return false;
  }
}

export function legacyTablesInUse(): readonly string[] {
  try {
    return readFileSync('/proc/self/net/ip_tables_names', 'utf8').split('\n').filter(Boolean);
  } catch {
    // A kernel without legacy tables has no such file.
    return [];
  }
}
