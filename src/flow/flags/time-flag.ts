/** `--since` and `--until` (spec hubble 2.2): a Go duration back from now, or a date. */
import { formatTime, parseTime } from '../time.ts';

/** RFC 3339 of the point in time; nothing before 1970. Undefined for what the stock CLI cannot read either. */
export function parsePointInTime(text: string, nowNs: bigint): string | undefined {
  const duration = parseDuration(text);
  const ns = duration === undefined ? parseDate(text) : nowNs - duration;
  if (ns === undefined || ns >= END_OF_TIME_NS) return undefined;
  return formatTime(ns < 0n ? 0n : ns);
}

/** The year 10000, which RFC 3339 cannot write. */
const END_OF_TIME_NS = 253_402_300_800_000_000_000n;

const UNIT_NS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

const MAX_CHARACTERS = 64;
/** Go's own limit: 64 bits of nanoseconds. */
const MAX_DURATION_NS = 2n ** 63n;

/** `1h43m`, `1.5s`, `-5m`, `0`. Days are refused, as in Go. In ns. */
export function parseDuration(text: string): bigint | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, amounts = ''] = match;
  let sum = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of amounts.matchAll(
    /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g,
  )) {
    const unitNs = UNIT_NS.get(unit) ?? 0n;
    sum += BigInt(whole || '0') * unitNs;
    if (fraction !== '') sum += (BigInt(fraction) * unitNs) / 10n ** BigInt(fraction.length);
  }
  if (sum >= MAX_DURATION_NS) return undefined;
  return sign === '-' ? -sum : sum;
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `2006-01-02`, with an hour, a minute, a second and any fraction and always a zone then, or RFC 1123 with a zone. In ns. */
function parseDate(text: string): bigint | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:\d{2}))?$/.exec(text);
  if (parts !== null) {
    const [, day = '', hour = '00', minute = '00', zone = 'Z'] = parts;
    return parseTime(`${day}T${hour}:${minute}:00${zone}`);
  }
  const mail = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/.exec(
    text,
  );
  if (mail === null) return parseTime(text);
  const [, day = '', word = '', year = '', clock = '', hours = '', minutes = ''] = mail;
  const month = String(MONTHS.indexOf(word) + 1).padStart(2, '0');
  return parseTime(`${year}-${month}-${day}T${clock}${hours}:${minutes}`);
}
