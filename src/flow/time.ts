/**
 * Kernel time to wall time and to text. Events are stamped with CLOCK_MONOTONIC, people and APIs want UTC: the offset
 * between the two is measured at the start and corrected when the wall clock has been stepped or slewed.
 */
import { readTogether } from '../telemetry/two-clocks.ts';

export interface WallTime {
  /** Nanoseconds since the epoch of a CLOCK_MONOTONIC reading. */
  wallNs(monotonicNs: bigint): bigint;
  /** Compares with the wall clock; call it now and then (seconds). */
  refresh(): void;
}

export interface TimeSource {
  /** Milliseconds since the epoch; may jump, may be whole. */
  nowMs(): number;
  /** CLOCK_MONOTONIC. */
  monotonicNs(): bigint;
}

export const systemTimeSource: TimeSource = {
  nowMs: () => Date.now(),
  // libuv reads CLOCK_MONOTONIC on Linux, the clock of bpf_ktime_get_ns.
  monotonicNs: () => process.hrtime.bigint(),
};

/** Below this the difference is the wall clock's own rounding to milliseconds, and correcting would only add noise. */
const TOLERATED_DRIFT_MS = 2;
const NS_PER_MS = 1_000_000n;

/** `preciseMs` is the wall time, as precisely as it is known; fractions count. */
export function createWallTime(
  source: TimeSource,
  preciseMs: () => number = () => performance.timeOrigin + performance.now(),
): WallTime {
  const start = readTogether(preciseMs, () => source.monotonicNs());
  let offsetNs = BigInt(Math.round(start.ms * 1000)) * 1000n - start.ns;
  return {
    wallNs: (monotonicNs) => monotonicNs + offsetNs,
    refresh() {
      const believedMs = Number((source.monotonicNs() + offsetNs) / NS_PER_MS);
      const driftMs = source.nowMs() - believedMs;
      if (Math.abs(driftMs) >= TOLERATED_DRIFT_MS) offsetNs += BigInt(Math.round(driftMs)) * NS_PER_MS;
    },
  };
}

/** RFC 3339 in UTC with 0, 3, 6 or 9 fraction digits, the form of protobuf's JSON mapping. Takes ns since the epoch. */
export function formatTime(ns: bigint): string {
  const ms = ns / NS_PER_MS;
  const nanos = ns % 1_000_000_000n;
  const seconds = new Date(Number(ms)).toISOString().slice(0, 19);
  if (nanos === 0n) return `${seconds}Z`;
  const digits = nanos.toString().padStart(9, '0');
  if (digits.endsWith('000000')) return `${seconds}.${digits.slice(0, 3)}Z`;
  return digits.endsWith('000') ? `${seconds}.${digits.slice(0, 6)}Z` : `${seconds}.${digits}Z`;
}

/** Inverse of `formatTime`; takes any RFC 3339 time with any fraction, gives ns since the epoch. */
export function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2})(?:\.(\d{1,18}))?([Zz]|[+-]\d{2}:\d{2})$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, seconds = '', fraction = '', zone = ''] = match;
  const ms = Date.parse(`${seconds.replace(/[t ]/, 'T')}${zone.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Go's StampMilli, `Mar  3 10:00:00.042`, always in UTC: the stock CLI's default time format (spec hubble 2.2). Takes
 * RFC 3339; a time that is absent or cannot be read is `N/A`.
 */
export function formatStampMilli(time: string): string {
  const ns = parseTime(time);
  if (ns === undefined) return 'N/A';
  const date = new Date(Number(ns / NS_PER_MS));
  const day = String(date.getUTCDate()).padStart(2, ' ');
  return `${MONTHS[date.getUTCMonth()]} ${day} ${date.toISOString().slice(11, 23)}`;
}
