/** protobuf's Timestamp and the RFC 3339 text of `flow/api.ts`, to the nanosecond, from year 1 to 9999. */
import { parseTime } from '../flow/time.ts';

/** What is 0 may be absent. */
export interface WireTime {
  /** Since the epoch, decimal text. */
  readonly seconds?: string;
  /** 0 to 999999999, also before the epoch. */
  readonly nanos?: number;
}

const NS = 1_000_000_000n;
/** 0001-01-01 and 9999-12-31T23:59:59 (timestamp.proto). */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;

/** Of a flow, its answer and its neighbours the times are equal, or of one second: the last is kept, as it is dear to make. */
class LastTimes {
  #text = '';
  #wire: WireTime | undefined;
  #second = Number.NaN;
  #head = '';

  wire(text: string): WireTime | undefined {
    if (text === this.#text) return this.#wire;
    const ns = parseTime(text);
    this.#text = text;
    this.#wire = ns === undefined ? undefined : wireOf(ns);
    return this.#wire;
  }

  /** Date and time of day of a whole second. */
  head(second: number): string {
    if (second !== this.#second) this.#head = new Date(second * 1000).toISOString().slice(0, 19);
    this.#second = second;
    return this.#head;
  }
}

const last = new LastTimes();

/** Undefined for text that is no time. */
export function toWireTime(text: string): WireTime | undefined {
  return last.wire(text);
}

function wireOf(ns: bigint): WireTime {
  const nanos = ((ns % NS) + NS) % NS;
  return { seconds: String((ns - nanos) / NS), nanos: Number(nanos) };
}

/** With 0, 3, 6 or 9 digits of a fraction, as protobuf's JSON has it. Undefined out of the range above. */
export function fromWireTime({ seconds = '0', nanos = 0 }: WireTime): string | undefined {
  const whole = Number(seconds);
  if (!(whole >= FIRST_SECOND && whole <= LAST_SECOND && nanos >= 0 && nanos < Number(NS))) return undefined;
  const head = last.head(whole);
  const digits = String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '');
  return digits === '' ? `${head}Z` : `${head}.${digits}Z`;
}
