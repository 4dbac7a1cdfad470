/** The memory page, which is 4 KiB on most machines and up to 64 KiB on arm64. */
import { readFileSync } from 'node:fs';

const AT_PAGESZ = 6n;

/** Bytes, from the auxiliary vector the kernel gave this process. */
export function pageSize(): number {
  const vector = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= vector.length; at += 16) {
    if (vector.readBigUInt64LE(at) === AT_PAGESZ) return Number(vector.readBigUInt64LE(at + 8));
  }
  return 4096;
}
