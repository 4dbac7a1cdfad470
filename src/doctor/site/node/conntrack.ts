/**
 * Connection tracking of the namespace of the calling process: how full, what was lost, and the entries of DNS. Read from
 * /proc; a table too large to read in the time that a doctor has is told by its size alone.
 */
import { readFileSync } from 'node:fs';
import { parseIp } from '../../../net/ip.ts';
import { type Known, known, unknown } from '../known.ts';
import type { ConntrackEntry, ConntrackFact } from '../node-facts.ts';
import { readBounded } from './bounded-file.ts';

type Counters = ConntrackFact['counters'];

export interface ConntrackSample {
  readonly counters: Counters;
  readonly atMs: number;
}

const MAX_ENTRIES = 4096;
/** About a hundred thousand entries: beyond this the kernel takes longer than anybody wants to wait. */
const MAX_TABLE_BYTES = 20 << 20;
const MAX_READ_ENTRIES = 100_000;
const SETTINGS = '/proc/sys/net/netfilter';

/** Undefined where the kernel tracks nothing. `monotonicMs` is when. */
export function sampleConntrack(monotonicMs: number): ConntrackSample | undefined {
  const text = readOrNothing('/proc/self/net/stat/nf_conntrack');
  return text === undefined ? undefined : { counters: parseCounters(text), atMs: monotonicMs };
}

/** `before` is an earlier sample of the same node; the longer ago, the more it tells. */
export function readConntrack(monotonicMs: number, before?: ConntrackSample): Known<ConntrackFact> {
  const now = sampleConntrack(monotonicMs);
  if (now === undefined) return unknown('the kernel has no /proc/net/stat/nf_conntrack: nothing is tracked');
  const count = numberIn(`${SETTINGS}/nf_conntrack_count`);
  const max = numberIn(`${SETTINGS}/nf_conntrack_max`);
  const { entries, omitted } = readEntries(count ?? 0);
  return known({
    ...(count === undefined ? {} : { count }),
    ...(max === undefined ? {} : { max }),
    counters: now.counters,
    ...(before === undefined ? {} : { before: { counters: before.counters, agoMs: now.atMs - before.atMs } }),
    entries,
    entriesOmitted: omitted,
  });
}

/** A line per processor behind a line of names, in hexadecimal. `entries` is the same on each, and no count of events. */
export function parseCounters(text: string): Counters {
  const [head = '', ...lines] = text.split('\n');
  const names = head.trim().split(/\s+/);
  const sums: Record<string, number> = {};
  for (const line of lines) {
    const values = line.trim().split(/\s+/);
    if (values.length < 2) continue;
    for (const [i, name] of names.entries()) {
      if (name === 'entries' || name === '') continue;
      sums[name] = (sums[name] ?? 0) + Number.parseInt(values[i] ?? '0', 16);
    }
  }
  return sums;
}

function readEntries(count: number): { entries: readonly ConntrackEntry[]; omitted: number } {
  if (count > MAX_READ_ENTRIES) return { entries: [], omitted: count };
  const text = readOrNothing('/proc/self/net/nf_conntrack', MAX_TABLE_BYTES);
  const found = text?.split('\n').flatMap((line) => parseEntry(line) ?? []) ?? [];
  const entries = found.slice(0, MAX_ENTRIES);
  // A kernel without this file may have any number of them.
  return { entries, omitted: text === undefined ? count : found.length - entries.length };
}

/** Undefined for what is not to port 53 by UDP or TCP. */
export function parseEntry(line: string): ConntrackEntry | undefined {
  const head = /^ipv[46]\s+\d+\s+(udp|tcp)\s+\d+\s+(\d+)/.exec(line);
  if (head === null) return undefined;
  const values = (key: string) =>
    [...line.matchAll(new RegExp(` ${key}=(\\S+)`, 'g'))].map((match) => match[1] ?? '');
  const [source, replySource] = values('src').map(parseIp);
  const [destination] = values('dst').map(parseIp);
  const [sourcePort = 0, replySourcePort = 0] = values('sport').map(Number);
  const [destinationPort = 0] = values('dport').map(Number);
  if (source === undefined || destination === undefined || replySource === undefined) return undefined;
  if (destinationPort !== 53) return undefined;
  return {
    protocol: head[1] === 'udp' ? 'UDP' : 'TCP',
    source,
    sourcePort,
    destination,
    destinationPort,
    replySource,
    replySourcePort,
    unreplied: line.includes('[UNREPLIED]'),
    timeoutSeconds: Number(head[2]),
  };
}

function numberIn(path: string): number | undefined {
  const text = readOrNothing(path)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** A kernel without connection tracking, or built without its files, has none of these. */
function readOrNothing(path: string, limit?: number): string | undefined {
  try {
    return limit === undefined ? readFileSync(path, 'utf8') : readBounded(path, limit);
  } catch {
    return undefined;
  }
}
