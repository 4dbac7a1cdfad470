/**
 * Whether netfilter on this node holds chains of an engine that enforces network policies: what is delivered past the
 * stack is not seen by them. The kernel itself tells the chains of nftables, which iptables in its newer form makes, too. What
 * the older form has made takes its tool to be read; where that is missing, nobody can say no.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { nftChainNames } from '../../sys/netlink/nft-chains.ts';

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

/** Chain names in what iptables-save prints: `:NAME POLICY [packets:bytes]`. Pure. */
export function chainNames(text: string): readonly string[] {
  return [...text.matchAll(/^:(\S+) /gm)].map(([, name]) => name ?? '');
}

/** What is looked at. */
export interface Machine {
  /** Names of all chains; undefined where the kernel does not let us know. */
  nftChains(): readonly string[] | undefined;
  /** Standard output; undefined where there is no such command or it fails. */
  run(command: string, parameters: readonly string[]): Promise<string | undefined>;
  /** Undefined where there is no such file. */
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

function readNft(machine: Machine): Answer {
  const chains = machine.nftChains();
  return chains === undefined
    ? { chains: [], unknown: 'the kernel does not tell the chains of nftables' }
    : { chains };
}

/** A node with ten thousand services has some tens of megabytes of rules, none of them in `filter`. */
const MOST_BYTES = 64 << 20;
const TIMEOUT_MS = 20_000;

const thisMachine: Machine = {
  nftChains() {
    try {
      return nftChainNames();
    } catch {
      // Without CAP_NET_ADMIN, or without netfilter's sockets: that is said of the outcome.
      return undefined;
    }
  },
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
