/** Attributes of rtnetlink messages (`struct rtattr`), to bytes and back. What is cut off ends the list: nothing throws. */
import { encodeStruct, readField } from '../struct.ts';
import { RTATTR } from '../uapi.gen.ts';

/** One attribute, padded. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const header = encodeStruct(RTATTR, { rta_len: RTATTR.size + value.length, rta_type: type });
  return Buffer.concat([header, value, new Uint8Array(-value.length & 3)]);
}

/** Attributes are padded to 4 bytes; a length that does not fit ends the list. */
export function decodeAttributes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at + RTATTR.size <= bytes.length; ) {
    const view = viewOf(bytes.subarray(at));
    const length = readField(RTATTR, 'rta_len', view);
    if (length < RTATTR.size || at + length > bytes.length) break;
    // The two top bits say "nested" and "network order".
    found.set(readField(RTATTR, 'rta_type', view) & 0x3fff, bytes.slice(at + RTATTR.size, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** 0 when it is too short. */
export function u32Of(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0, true);
}

/** Up to the first zero byte; empty when there is none. */
export function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array()).replace(/\0.*$/s, '');
}

export function u32Attribute(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value >>> 0, true);
  return attribute(type, bytes);
}

export function textAttribute(type: number, text: string): Uint8Array {
  return attribute(type, new TextEncoder().encode(`${text}\0`));
}
