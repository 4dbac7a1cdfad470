/**
 * What the running kernel says of its own types (BTF, kernel documentation bpf/btf), read from its file in sysfs: where the
 * members of a struct are, the words of an enum, the parameters of a tracepoint. One pass over the types, which are a
 * hundred thousand, makes nothing of those that nobody asks for.
 */
import { readFileSync } from 'node:fs';

const KERNEL_BTF = '/sys/kernel/btf/vmlinux';
const MAGIC = 0xeb9f;

const KIND = {
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  DECL_TAG: 17,
  ENUM64: 19,
} as const;

/** Bytes of every type, then those that follow, by kind: fixed, and per entry. */
const HEAD_BYTES = 12;
const FIXED: Readonly<Record<number, number>> = {
  [KIND.INT]: 4,
  [KIND.ARRAY]: 12,
  [KIND.VAR]: 4,
  [KIND.DECL_TAG]: 4,
};
const EACH: Readonly<Record<number, number>> = {
  [KIND.STRUCT]: 12,
  [KIND.UNION]: 12,
  [KIND.ENUM]: 8,
  [KIND.FUNC_PROTO]: 8,
  [KIND.DATASEC]: 12,
  [KIND.ENUM64]: 12,
};
/** What stands between a member and the struct it is of. */
const TRANSPARENT: ReadonlySet<number> = new Set([KIND.TYPEDEF, KIND.VOLATILE, KIND.CONST, KIND.RESTRICT]);
const HAS_BIT_FIELDS = 0x80000000;

export class KernelTypes {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  readonly #strings: number;
  readonly #stringsEnd: number;
  /** Where each type begins, by its id. */
  readonly #starts: Uint32Array;
  readonly #found = new Map<string, number | undefined>();

  /** Throws for what is no BTF of this machine's byte order. */
  constructor(bytes: Buffer) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (bytes.length < 24 || view.getUint16(0, true) !== MAGIC) throw new Error('It is no BTF');
    const header = view.getUint32(4, true);
    const types = header + view.getUint32(8, true);
    const typesEnd = types + view.getUint32(12, true);
    this.#view = view;
    this.#bytes = bytes;
    this.#strings = header + view.getUint32(16, true);
    this.#stringsEnd = this.#strings + view.getUint32(20, true);
    this.#starts = startsOf(view, types, typesEnd);
  }

  /** Bytes from the beginning of the struct to a member, `a.b` for one inside another; undefined: there is none. */
  offsetOf(struct: string, member: string): number | undefined {
    let id = this.#find(struct, KIND.STRUCT);
    let offset = 0;
    for (const name of member.split('.')) {
      const found: Member | undefined = id === undefined ? undefined : this.#member(id, name);
      if (found === undefined) return undefined;
      offset += found.offset;
      id = this.#bare(found.type);
    }
    return offset;
  }

  sizeOf(struct: string): number | undefined {
    const id = this.#find(struct, KIND.STRUCT);
    return id === undefined ? undefined : this.#view.getUint32(this.#start(id) + 8, true);
  }

  /** Words by their numbers; empty when there is no such enum. */
  wordsOf(name: string): ReadonlyMap<number, string> {
    const words = new Map<number, string>();
    const id = this.#find(name, KIND.ENUM);
    if (id === undefined) return words;
    const start = this.#start(id);
    for (let at = start + HEAD_BYTES; words.size < this.#count(start); at += 8)
      words.set(this.#view.getUint32(at + 4, true), this.#text(this.#view.getUint32(at, true)));
    return words;
  }

  /** How many parameters its programs get; undefined: the kernel has no such tracepoint. */
  tracepointParameters(name: string): number | undefined {
    const typedef = this.#find(`btf_trace_${name}`, KIND.TYPEDEF);
    if (typedef === undefined) return undefined;
    const pointer = this.#view.getUint32(this.#start(typedef) + 8, true);
    const prototype = this.#start(this.#view.getUint32(this.#start(pointer) + 8, true));
    // The first is the tracepoint's own.
    return this.#kind(prototype) === KIND.FUNC_PROTO ? this.#count(prototype) - 1 : undefined;
  }

  #find(name: string, kind: number): number | undefined {
    const key = `${kind} ${name}`;
    if (!this.#found.has(key)) this.#found.set(key, this.#search(name, kind));
    return this.#found.get(key);
  }

  /** A definition: declarations have no members, and the kernel may have several types of one name. */
  #search(name: string, kind: number): number | undefined {
    for (let from = this.#strings; ; ) {
      const at = this.#bytes.indexOf(`\0${name}\0`, from, 'latin1');
      if (at < 0 || at >= this.#stringsEnd) return undefined;
      const nameOffset = at + 1 - this.#strings;
      for (let id = 1; id < this.#starts.length; id++) {
        const start = this.#start(id);
        if (this.#view.getUint32(start, true) !== nameOffset || this.#kind(start) !== kind) continue;
        if (kind === KIND.TYPEDEF || this.#count(start) > 0) return id;
      }
      from = at + 1;
    }
  }

  /** Members of nameless structs and unions are their parent's. */
  #member(id: number, name: string): Member | undefined {
    const start = this.#start(id);
    const kind = this.#kind(start);
    if (kind !== KIND.STRUCT && kind !== KIND.UNION) return undefined;
    const hasBitFields = (this.#view.getUint32(start + 4, true) & HAS_BIT_FIELDS) !== 0;
    for (let i = 0; i < this.#count(start); i++) {
      const at = start + HEAD_BYTES + 12 * i;
      const raw = this.#view.getUint32(at + 8, true);
      const offset = (hasBitFields ? raw & 0xffffff : raw) >> 3;
      const type = this.#view.getUint32(at + 4, true);
      const own = this.#text(this.#view.getUint32(at, true));
      if (own === name) return { offset, type };
      const inner = own === '' ? this.#member(this.#bare(type), name) : undefined;
      if (inner !== undefined) return { ...inner, offset: offset + inner.offset };
    }
    return undefined;
  }

  #bare(id: number): number {
    const start = this.#start(id);
    return TRANSPARENT.has(this.#kind(start)) ? this.#bare(this.#view.getUint32(start + 8, true)) : id;
  }

  #start(id: number): number {
    return this.#starts[id] ?? 0;
  }

  #kind(start: number): number {
    return (this.#view.getUint32(start + 4, true) >>> 24) & 31;
  }

  #count(start: number): number {
    return this.#view.getUint32(start + 4, true) & 0xffff;
  }

  #text(offset: number): string {
    const start = this.#strings + offset;
    return this.#bytes.toString('latin1', start, this.#bytes.indexOf(0, start));
  }
}

interface Member {
  readonly offset: number;
  readonly type: number;
}

function startsOf(view: DataView, from: number, end: number): Uint32Array {
  const starts = new Uint32Array((end - from) / HEAD_BYTES + 1);
  let id = 1;
  for (let at = from; at < end; id++) {
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 31;
    starts[id] = at;
    at += HEAD_BYTES + (FIXED[kind] ?? 0) + (EACH[kind] ?? 0) * (info & 0xffff);
  }
  return starts.subarray(0, id);
}

/** Undefined: this kernel was built without. */
export function readKernelTypes(): KernelTypes | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(KERNEL_BTF);
  } catch {
    return undefined;
  }
  return new KernelTypes(bytes);
}
