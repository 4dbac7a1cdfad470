/**
 * Memory that the process holds and does not need. What a start or a burst left behind stays resident until somebody asks
 * for it to be given back; a daemon beside every node's pods should ask. Only pages that the kernel can bring back by
 * itself are touched: free memory of the C library, and the program's own code, which is read again from its file.
 */
import { readFileSync } from 'node:fs';
import { openLibc } from './libc.ts';

const MADV_DONTNEED = 4;
/** A line of /proc/self/maps: private, executable, not writable, so equal to the file. */
const CODE = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \S+\s+(.+)$/;

/** Costs some milliseconds, and a page fault for each page of code that is needed again. */
export function giveBackPages(): void {
  const libc = openLibc();
  libc.mallocTrim();
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from, to, path] = CODE.exec(line) ?? [];
    if (from === undefined || to === undefined || path !== process.execPath) continue;
    const at = BigInt(`0x${from}`);
    // Refused: then the pages stay, which is no worse than before.
    libc.madvise(at, Number(BigInt(`0x${to}`) - at), MADV_DONTNEED);
  }
}
