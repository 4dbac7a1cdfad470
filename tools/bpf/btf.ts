/**
 * BTF, the type information clang puts into a BPF object (kernel documentation, bpf/btf): read far enough to know the
 * layout of structs, the numbers of enums and the shape of BTF-defined maps. Bit fields and floats are left out.
 */
import { text } from './elf.ts';

export const KIND = {
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
  VAR: 14,
  DATASEC: 15,
  ENUM64: 19,
} as const;

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** Bytes. */
  readonly offset: number;
}

export interface BtfType {
  readonly kind: number;
  readonly name: string;
  /** Bytes, for kinds that have a size. */
  readonly size: number;
  /** The type referred to, for kinds that refer to one; of an array: its element. */
  readonly type: number;
  readonly signed: boolean;
  readonly members: readonly BtfMember[];
  readonly values: readonly { readonly name: string; readonly value: number }[];
  readonly length: number;
}

export type Btf = readonly BtfType[];

const VOID: BtfType = {
  kind: 0,
  name: 'void',
  size: 0,
  type: 0,
  signed: false,
  members: [],
  values: [],
  length: 0,
};

/** Bytes that follow the common 12 of a type, per kind: fixed, and per entry of its vlen. */
const EXTRA: Readonly<Record<number, readonly [number, number]>> = {
  [KIND.INT]: [4, 0],
  [KIND.ARRAY]: [12, 0],
  [KIND.STRUCT]: [0, 12],
  [KIND.UNION]: [0, 12],
  [KIND.ENUM]: [0, 8],
  13: [0, 8],
  [KIND.VAR]: [4, 0],
  [KIND.DATASEC]: [0, 12],
  17: [4, 0],
  [KIND.ENUM64]: [0, 12],
};

export function decodeBtf(data: Buffer): Btf {
  const header = data.readUInt32LE(4);
  const types = data.subarray(
    header + data.readUInt32LE(8),
    header + data.readUInt32LE(8) + data.readUInt32LE(12),
  );
  const strings = data.subarray(header + data.readUInt32LE(16));
  const result: BtfType[] = [VOID];
  for (let at = 0; at < types.length; ) {
    const info = types.readUInt32LE(at + 4);
    const kind = (info >>> 24) & 31;
    const [fixed, each] = EXTRA[kind] ?? [0, 0];
    result.push(decodeType(types, strings, at));
    at += 12 + fixed + each * (info & 0xffff);
  }
  return result;
}

/** The type behind typedefs and qualifiers. */
export function bareType(btf: Btf, id: number): BtfType {
  const type = typeOf(btf, id);
  const transparent: readonly number[] = [KIND.TYPEDEF, KIND.VOLATILE, KIND.CONST, KIND.RESTRICT];
  return transparent.includes(type.kind) ? bareType(btf, type.type) : type;
}

export function typeOf(btf: Btf, id: number): BtfType {
  const type = btf[id];
  if (type === undefined) throw new Error(`Cannot read BTF: no type ${id}`);
  return type;
}

export function sizeOf(btf: Btf, id: number): number {
  const type = bareType(btf, id);
  if (type.kind === KIND.ARRAY) return type.length * sizeOf(btf, type.type);
  return type.kind === KIND.PTR ? 8 : type.size;
}

function decodeType(types: Buffer, strings: Buffer, at: number): BtfType {
  const info = types.readUInt32LE(at + 4);
  const kind = (info >>> 24) & 31;
  const vlen = info & 0xffff;
  const last = types.readUInt32LE(at + 8);
  const name = text(strings, types.readUInt32LE(at));
  const entries = Array.from({ length: vlen }, (_, i) => i);
  const nameAt = (offset: number) => text(strings, types.readUInt32LE(offset));
  const base = { ...VOID, kind, name, size: last, type: last };
  switch (kind) {
    case KIND.INT:
      return { ...base, signed: (types.readUInt32LE(at + 12) & 0x01000000) !== 0 };
    case KIND.ARRAY:
      return { ...base, type: types.readUInt32LE(at + 12), length: types.readUInt32LE(at + 20) };
    case KIND.STRUCT:
    case KIND.UNION:
      return { ...base, members: entries.map((i) => decodeMember(types, nameAt, at + 12 + i * 12)) };
    case KIND.ENUM:
      return {
        ...base,
        values: entries.map((i) => ({
          name: nameAt(at + 12 + i * 8),
          value: types.readInt32LE(at + 16 + i * 8),
        })),
      };
    default:
      return base;
  }
}

function decodeMember(types: Buffer, nameAt: (offset: number) => string, at: number): BtfMember {
  // With bit fields the top byte is a width; those members are of no interest here.
  return {
    name: nameAt(at),
    type: types.readUInt32LE(at + 4),
    offset: (types.readUInt32LE(at + 8) & 0xffffff) >> 3,
  };
}
