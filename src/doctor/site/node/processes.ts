/**
 * Processes of the machine that have to do with DNS: servers and caches of anybody, proxies and agents of CNIs. What they
 * were told (their arguments) is where most mistakes are to be seen.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { ProcessFact, ResolvConfFact } from '../node-facts.ts';
import { readBounded } from './bounded-file.ts';
import { readResolvConf } from './resolv-conf.ts';

const MAX_ARGS = 64;
const MAX_ARG_CHARACTERS = 256;
const MAX_CMDLINE_BYTES = 32_768;
const MAX_PROCESSES = 256;
/** USER_HZ, on every architecture that we run on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const OF_INTEREST: readonly RegExp[] = [
  // Servers and caches; AKS's LocalDNS and GKE's cache are coredns and node-cache by other means.
  /^(coredns|node-cache|dnsmasq(-nanny)?|unbound|named|kresd|dnsdist|pdns_recursor|systemd-resolve(d)?|localdns)$/,
  /^(kube-proxy|kube-router|cilium-agent|cilium-envoy|calico-node|antrea-agent|ztunnel|pilot-agent|aws-k8s-agent)$/,
  /^zerohop/,
];

/** In ascending order of their numbers; of those that `isOurs` says yes to, if it is asked. */
export function readProcesses(isOurs?: (pid: number) => boolean): readonly ProcessFact[] {
  const bootMs = bootTimeMs();
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((pid) => describe(pid, bootMs) ?? [])
    .filter(({ pid }) => isOurs?.(pid) ?? true)
    .slice(0, MAX_PROCESSES);
}

function describe(pid: number, bootMs: number | undefined): ProcessFact | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    const args = parseArgs(readBounded(`/proc/${pid}/cmdline`, MAX_CMDLINE_BYTES));
    if (!isOfInterest(command, args)) return undefined;
    const startedAtMs = startOf(pid, bootMs);
    const inPod = livesInPod(pid);
    const resolvConf = resolvConfOf(pid);
    return {
      pid,
      command,
      args,
      ...(inPod === undefined ? {} : { inPod }),
      ...(startedAtMs === undefined ? {} : { startedAtMs }),
      memory: memoryOf(pid),
      ...(resolvConf === undefined ? {} : { resolvConf }),
    };
  } catch {
    // It has ended.
    return undefined;
  }
}

/** In another network namespace than ours, which is the node's. */
function livesInPod(pid: number): boolean | undefined {
  try {
    const inodeOf = (path: string) => statSync(path, { bigint: true }).ino;
    return inodeOf(`/proc/${pid}/ns/net`) !== inodeOf('/proc/thread-self/ns/net');
  } catch {
    // None of ours to look into.
    return undefined;
  }
}

/** Exported for tests. Ours is a script of Node: its name is among the first arguments. */
export function isOfInterest(command: string, args: readonly string[]): boolean {
  const program = basename(args[0] ?? '');
  const script = program === 'node' ? args.slice(1).find((arg) => !arg.startsWith('-')) : undefined;
  const names = [command, program, ...(script === undefined ? [] : [basename(script)])];
  return names.some((name) => OF_INTEREST.some((pattern) => pattern.test(name)));
}

function parseArgs(text: string): readonly string[] {
  const words = text.replace(/\0+$/, '').split('\0');
  return words.slice(0, MAX_ARGS).map((word) => word.slice(0, MAX_ARG_CHARACTERS));
}

function resolvConfOf(pid: number): ResolvConfFact | undefined {
  try {
    return readResolvConf(pid);
  } catch {
    // It has none, as in an image of one file, or we may not look.
    return undefined;
  }
}

function startOf(pid: number, bootMs: number | undefined): number | undefined {
  // The name before it may hold blanks and parentheses.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const ticks = Number(fields[19]);
  return bootMs === undefined || !Number.isFinite(ticks)
    ? undefined
    : bootMs + (ticks / TICKS_PER_SECOND) * 1000;
}

function bootTimeMs(): number | undefined {
  const seconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

function memoryOf(pid: number): NonNullable<ProcessFact['memory']> {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  const limit = memoryLimitOf(pid);
  return { used: pages * PAGE_BYTES, ...(limit === undefined ? {} : { limit }) };
}

/** Of its own cgroup; a limit further up is the pod's, which has one container of interest mostly. */
function memoryLimitOf(pid: number): number | undefined {
  try {
    const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
    const own = lines.map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
    const v1 = own.find((match) => match?.[1]?.split(',').includes('memory'))?.[2];
    const v2 = own.find((match) => match?.[1] === '')?.[2];
    const file =
      v1 === undefined
        ? `/sys/fs/cgroup${v2 ?? ''}/memory.max`
        : `/sys/fs/cgroup/memory${v1}/memory.limit_in_bytes`;
    const text = readFileSync(file, 'utf8').trim();
    // What v1 calls no limit is the largest number of pages.
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  } catch {
    // From inside a container the cgroups of others are not to be seen.
    return undefined;
  }
}
