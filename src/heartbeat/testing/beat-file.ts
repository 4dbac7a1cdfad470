/** Test support: a file in place of the kernel's map of beats; what is mapped of either is shared with who maps it. */
import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';

export const SEATS = 256;
export const BEAT_BYTES = 64;

export class BeatFile {
  readonly fd: number;
  readonly seats = SEATS;
  readonly beatBytes = BEAT_BYTES;

  constructor(path: string) {
    writeFileSync(path, '');
    truncateSync(path, SEATS * BEAT_BYTES);
    this.fd = openSync(path, 'r+');
  }

  /** The words of a seat. */
  row(seat: number): readonly bigint[] {
    const words = new BigUint64Array(BEAT_BYTES / 8);
    readSync(this.fd, words, 0, BEAT_BYTES, seat * BEAT_BYTES);
    return [...words];
  }

  fill(seat: number, value: bigint): void {
    const words = new BigUint64Array(BEAT_BYTES / 8).fill(value);
    writeSync(this.fd, words, 0, BEAT_BYTES, seat * BEAT_BYTES);
  }

  close(): void {
    closeSync(this.fd);
  }
}
