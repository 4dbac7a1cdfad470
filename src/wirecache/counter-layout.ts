/** What is counted of the answers of one route, and where: the same for the readers that count and for who adds up. */
import { TYPE } from '../dns/codes.ts';

/** The types that metrics tell apart (dns-server 3.5); all others are counted as 0. */
const TOLD_TYPES: readonly number[] = [
  TYPE.A,
  TYPE.AAAA,
  TYPE.CNAME,
  TYPE.DNSKEY,
  TYPE.DS,
  TYPE.MX,
  TYPE.NSEC3,
  TYPE.NSEC,
  TYPE.NS,
  TYPE.PTR,
  TYPE.RRSIG,
  TYPE.SOA,
  TYPE.SRV,
  TYPE.TXT,
  TYPE.HTTPS,
  TYPE.SVCB,
  TYPE.IXFR,
  TYPE.AXFR,
  TYPE.ANY,
];
export const COUNTED_TYPES: readonly number[] = [0, ...TOLD_TYPES];

/** Upper bounds of dns-server section 8, set Z. */
export const SIZE_BOUNDS: readonly number[] = [
  0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16_000, 32_000, 48_000, 64_000,
];
/** Seconds, set T. */
export const DURATION_BOUNDS: readonly number[] = Array.from({ length: 16 }, (_, i) => 0.000_25 * 2 ** i);

const SIZES = SIZE_BOUNDS.length + 1;
const DURATIONS = DURATION_BOUNDS.length + 1;

/** Word offsets within the counters of a route. */
export const COUNTER = {
  /** By type: IPv4, then IPv6. */
  REQUESTS: 0,
  RCODES: 2 * COUNTED_TYPES.length,
  DNSSEC_OK: 2 * COUNTED_TYPES.length + 16,
  SUCCESS_HITS: 2 * COUNTED_TYPES.length + 17,
  DENIAL_HITS: 2 * COUNTED_TYPES.length + 18,
  REQUEST_BYTES: 2 * COUNTED_TYPES.length + 19,
  RESPONSE_BYTES: 2 * COUNTED_TYPES.length + 20,
  REQUEST_SIZES: 2 * COUNTED_TYPES.length + 21,
  RESPONSE_SIZES: 2 * COUNTED_TYPES.length + 21 + SIZES,
  DURATIONS: 2 * COUNTED_TYPES.length + 21 + 2 * SIZES,
  MICROSECONDS: 2 * COUNTED_TYPES.length + 21 + 2 * SIZES + DURATIONS,
  END: 2 * COUNTED_TYPES.length + 22 + 2 * SIZES + DURATIONS,
} as const;

const INDEX_OF_TYPE = new Uint8Array(512);
for (const [index, type] of COUNTED_TYPES.entries()) INDEX_OF_TYPE[type] = index;

export function countedType(type: number): number {
  return INDEX_OF_TYPE[type] ?? 0;
}

/** Index of the bucket that a size falls in. */
export function sizeBucket(bytes: number): number {
  return bucketOf(SIZE_BOUNDS, bytes);
}

export function durationBucket(seconds: number): number {
  return bucketOf(DURATION_BOUNDS, seconds);
}

function bucketOf(bounds: readonly number[], value: number): number {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
  return bucket;
}
