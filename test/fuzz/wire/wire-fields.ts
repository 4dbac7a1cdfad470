/** Fields of a message at fixed places, for those who judge it without a decoder. Zero where there is nothing. */
export const HEADER_BYTES = 12;

export function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function idOf(bytes: Uint8Array): number {
  return u16At(bytes, 0);
}

export function isReply(bytes: Uint8Array): boolean {
  return ((bytes[2] ?? 0) & 0x80) !== 0;
}

export function opcodeOf(bytes: Uint8Array): number {
  return ((bytes[2] ?? 0) >> 3) & 15;
}

export function isTruncated(bytes: Uint8Array): boolean {
  return ((bytes[2] ?? 0) & 2) !== 0;
}

/** The low four bits. */
export function rcodeOf(bytes: Uint8Array): number {
  return (bytes[3] ?? 0) & 15;
}
