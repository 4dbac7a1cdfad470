/** Fills and reads kernel structs by the generated layouts, so that nobody writes an offset by hand. */
import { openLibc } from './libc.ts';

export interface StructLayout {
  readonly size: number;
  /** Name to [offset, size], in bytes. */
  readonly fields: Readonly<Record<string, readonly [number, number]>>;
}

/** A number, or bytes: put into the field itself if it is an array, else their address is. */
export type FieldValue = number | bigint | Uint8Array;
export type FieldValues<L extends StructLayout> = { readonly [K in keyof L['fields']]?: FieldValue };

/** Fields not named are zero. Byte values of pointer fields must stay reachable while the struct is in use. */
export function encodeStruct<L extends StructLayout>(layout: L, values: FieldValues<L>): Uint8Array {
  const bytes = new Uint8Array(layout.size);
  const view = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(values) as [string, FieldValue][]) {
    const [offset, size] = fieldOf(layout, name);
    if (typeof value === 'object' && size !== 8) bytes.set(value.subarray(0, size), offset);
    else setNumber(view, offset, size, typeof value === 'object' ? openLibc().address(value) : value);
  }
  return bytes;
}

/** An unsigned field of at most 4 bytes. */
export function readField<L extends StructLayout>(
  layout: L,
  name: keyof L['fields'] & string,
  from: DataView,
): number {
  const [offset, size] = fieldOf(layout, name);
  if (size === 1) return from.getUint8(offset);
  return size === 2 ? from.getUint16(offset, true) : from.getUint32(offset, true);
}

/** A field of 8 bytes. */
export function readWideField<L extends StructLayout>(
  layout: L,
  name: keyof L['fields'] & string,
  from: DataView,
): bigint {
  return from.getBigUint64(fieldOf(layout, name)[0], true);
}

function fieldOf(layout: StructLayout, name: string): readonly [number, number] {
  const field = layout.fields[name];
  if (field === undefined) throw new Error(`Cannot find field ${name} in a kernel struct`);
  return field;
}

function setNumber(view: DataView, offset: number, size: number, value: number | bigint): void {
  if (size === 1) view.setUint8(offset, Number(value));
  else if (size === 2) view.setUint16(offset, Number(value), true);
  else if (size === 4) view.setUint32(offset, Number(value), true);
  else view.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true);
}
