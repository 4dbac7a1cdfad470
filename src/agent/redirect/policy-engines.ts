/**
 * Whether netfilter on this node holds chains of an engine that enforces network policies: what is delivered past the
 * stack is not seen by them. Chains are read with the tools there are; where rules may be that no tool here can read,
 * nobody can say no.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

export interface EngineReport {
  /** By the names their projects have; empty when none was found. */
  readonly engines: readonly string[];
  /** Why others may be there that were not seen; absent when everything was. */
  readonly unknown?: string;
}

const ENGINES: readonly (readonly [name: string, chain: RegExp])[] = [
  ['Calico', /^cali-/],
  ['kube-router', /^KUBE-(NWPLCY|POD-FW)-/],
  ['Antrea', /^ANTREA-/],
  ['Weave Net', /^WEAVE-NPC/],
];

/** The engines that chains of these names belong to. Pure. */
export function enginesOf(chains: Iterable<string>): readonly string[] {
  const found = new Set<string>();
  for (const chain of chains) for (const [name, pattern] of ENGINES) if (pattern.test(chain)) found.add(name);
  return ENGINES.flatMap(([name]) => (found.has(name) ? [name] : []));
}

/** Chain names in what iptables-save (`:NAME POLICY [packets:bytes]`) or `nft list chains` (`chain NAME {`) print. Pure. */
export function chainNames(text: string): readonly string[] {
  return [...text.matchAll(/^(?::(\S+) |\s+chain "?([^\s"{]+)"? \{)/gm)].map(
    ([, saved, listed]) => saved ?? listed ?? '',
  );
}

/** Text of a command, of a file; undefined where there is no such thing or it fails. */
export interface Machine {
  run(command: string, parameters: readonly string[]): Promise<string | undefined>;
  read(path: string): Promise<string | undefined>;
}

/** Legacy tables of either family: each is in the kernel only when somebody has used it. */
const LEGACY = [
  { tables: '/proc/self/net/ip_tables_names', tools: ['iptables-legacy-save', 'iptables-save'] },
  { tables: '/proc/self/net/ip6_tables_names', tools: ['ip6tables-legacy-save', 'ip6tables-save'] },
] as const;

/** Looks at this network namespace. Never throws. */
export async function findPolicyEngines(machine: Machine = thisMachine): Promise<EngineReport> {
  const answers = await Promise.all([
    ...LEGACY.map((family) => readLegacy(machine, family)),
    readNft(machine),
  ]);
  const engines = enginesOf(answers.flatMap(({ chains }) => chains));
  const unknown = answers.flatMap((answer) => (answer.unknown === undefined ? [] : [answer.unknown]));
  return { engines, ...(unknown.length === 0 ? {} : { unknown: [...new Set(unknown)].join(', ') }) };
}

interface Answer {
  readonly chains: readonly string[];
  readonly unknown?: string;
}

/** Asking for a table that is not there would make it, so the kernel's list is read first. */
async function readLegacy(machine: Machine, { tables, tools }: (typeof LEGACY)[number]): Promise<Answer> {
  const names = (await machine.read(tables)) ?? '';
  if (!names.split('\n').includes('filter')) return { chains: [] };
  for (const tool of tools) {
    // `iptables-save` may be the one for nftables, which knows nothing of these tables.
    const version = await machine.run(tool, ['--version']);
    if (version === undefined || version.includes('nf_tables')) continue;
    const text = await machine.run(tool, ['-t', 'filter']);
    if (text !== undefined) return { chains: chainNames(text) };
  }
  return { chains: [], unknown: 'there is no iptables-legacy-save to read iptables with' };
}

/** Also what iptables-nft has made. Without the tool nobody can say. */
async function readNft(machine: Machine): Promise<Answer> {
  const text = await machine.run('nft', ['list', 'chains']);
  if (text !== undefined) return { chains: chainNames(text) };
  const saved = await Promise.all(
    ['iptables-nft-save', 'ip6tables-nft-save'].map((tool) => machine.run(tool, [])),
  );
  if (saved.every((one) => one === undefined))
    return { chains: [], unknown: 'there is no nft to read nftables with' };
  return { chains: saved.flatMap((one) => chainNames(one ?? '')) };
}

/** A node with ten thousand services has some tens of megabytes of rules, none of them in `filter`. */
const MOST_BYTES = 64 << 20;
const TIMEOUT_MS = 20_000;

const thisMachine: Machine = {
  run: (command, parameters) =>
    new Promise((resolve) => {
      const options = { encoding: 'utf8', maxBuffer: MOST_BYTES, timeout: TIMEOUT_MS } as const;
      execFile(command, [...parameters], options, (error, stdout) =>
        resolve(error === null ? stdout : undefined),
      );
    }),
  // Not there: the kernel has no such tables.
  read: (path) => readFile(path, 'utf8').catch(() => undefined),
};
