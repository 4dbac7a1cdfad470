/**
 * A reader of DNS messages that forgives nothing, to judge replies by (RFC 1035 section 4.1, RFC 6891 section 6.1). It
 * shares nothing with `src/dns`, whose errors it is to find. Queries are read by it too, to know what they asked.
 */
import { u16At } from './wire-fields.ts';

export interface WalkedRecord {
  /** Uncompressed wire bytes as hex, case as sent. */
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** As it lies there. */
  readonly data: Uint8Array;
}

export interface Walked {
  /** Name, type and class in one text; undefined without a question. */
  readonly question: string | undefined;
  readonly sections: readonly [readonly WalkedRecord[], readonly WalkedRecord[], readonly WalkedRecord[]];
  /** The one OPT record, which stands in the last section. */
  readonly opt: WalkedRecord | undefined;
  /** Bytes behind the last record. */
  readonly left: number;
}

export type WalkResult = Walked | { readonly fault: string };

const HEADER_BYTES = 12;
const OPT = 41;
/** Data lengths of types that have only one. */
const DATA_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [28, 16],
]);
/** A name of 255 bytes holds no more labels. */
const MAX_HOPS = 128;

/** Of our own replies. Never throws. */
export function walkReply(bytes: Uint8Array): WalkResult {
  return walkMessage(bytes, true);
}

/** Of what a stranger wrote: records may say and stand where a client has no business, if only they can be told apart. */
export function walkQuery(bytes: Uint8Array): WalkResult {
  return walkMessage(bytes, false);
}

function walkMessage(bytes: Uint8Array, isStrict: boolean): WalkResult {
  if (bytes.length < HEADER_BYTES) return { fault: `${bytes.length} bytes are no header` };
  const walk = new Walk(bytes, isStrict);
  const walked = walk.message();
  return walk.fault === undefined ? walked : { fault: walk.fault };
}

class Walk {
  /** The first. */
  fault: string | undefined;
  #at = HEADER_BYTES;
  readonly #bytes: Uint8Array;
  readonly #isStrict: boolean;

  constructor(bytes: Uint8Array, isStrict: boolean) {
    this.#bytes = bytes;
    this.#isStrict = isStrict;
  }

  message(): Walked {
    const [qd, an, ns, ar] = [4, 6, 8, 10].map((at) => u16At(this.#bytes, at));
    if ((qd ?? 0) > 1) this.#fail(`${qd} questions`);
    const question = qd === 1 ? `${this.#name()} ${this.#u16()} ${this.#u16()}` : undefined;
    const sections = [this.#records(an ?? 0), this.#records(ns ?? 0), this.#records(ar ?? 0)] as const;
    const opts = sections.map((records) => records.filter(({ type }) => type === OPT));
    const misplaced = (opts[0]?.length ?? 0) + (opts[1]?.length ?? 0);
    if (this.#isStrict && misplaced > 0) this.#fail('OPT outside of the additional section');
    const [opt, second] = opts[2] ?? [];
    if (second !== undefined) this.#fail('two OPT records');
    if (opt !== undefined) this.#checkOpt(opt);
    return { question, sections, opt, left: this.#bytes.length - this.#at };
  }

  #records(count: number): WalkedRecord[] {
    const records: WalkedRecord[] = [];
    for (let i = 0; i < count && this.fault === undefined; i++) records.push(this.#record());
    return records;
  }

  #record(): WalkedRecord {
    const owner = this.#name();
    const type = this.#u16();
    const recordClass = this.#u16();
    const ttl = this.#u16() * 0x1_0000 + this.#u16();
    const length = this.#u16();
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) this.#fail(`record data ends at ${end}, behind the message`);
    const fixed = DATA_BYTES.get(type);
    if (fixed !== undefined && length !== fixed && length !== 0)
      this.#fail(`${length} bytes of data of type ${type}`);
    if (this.#isStrict && type !== OPT && ttl > 0x7fff_ffff) this.#fail(`TTL ${ttl}`);
    this.#at = end;
    return { owner, type, class: recordClass, ttl, data: this.#bytes.subarray(start, end) };
  }

  #checkOpt({ owner, data }: WalkedRecord): void {
    if (owner !== '00') this.#fail('an OPT record with a name');
    let at = 0;
    while (at + 4 <= data.length) at += 4 + u16At(data, at + 2);
    if (at !== data.length) this.#fail('EDNS options do not fill their record');
  }

  /** Hex of the uncompressed name. */
  #name(): string {
    const bytes = this.#bytes;
    const parts: number[] = [];
    let at = this.#at;
    let resume = -1;
    for (let hops = 0; hops < MAX_HOPS + 1; hops++) {
      const size = bytes[at];
      if (size === undefined) return this.#fail('a name ends behind the message');
      if (size >= 0xc0) {
        const target = u16At(bytes, at) & 0x3fff;
        if (at + 1 >= bytes.length) return this.#fail('half a pointer');
        if (target >= at) return this.#fail(`a pointer at ${at} leads to ${target}`);
        if (resume < 0) resume = at + 2;
        at = target;
        continue;
      }
      if (size > 63) return this.#fail(`label type ${size}`);
      if (at + size >= bytes.length) return this.#fail('a label ends behind the message');
      for (let i = 0; i <= size; i++) parts.push(bytes[at + i] ?? 0);
      if (parts.length > 255) return this.#fail('a name of more than 255 bytes');
      at += size + 1;
      if (size > 0) continue;
      this.#at = resume < 0 ? at : resume;
      return Buffer.from(parts).toString('hex');
    }
    return this.#fail('a name without end');
  }

  #u16(): number {
    this.#at += 2;
    if (this.#at > this.#bytes.length) this.#fail('the message ends in a field');
    return u16At(this.#bytes, this.#at - 2);
  }

  #fail(text: string): string {
    this.fault ??= text;
    return '';
  }
}
