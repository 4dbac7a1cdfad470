/** Test support: a file laid out as the kernel lays out a ring buffer; what is mapped of it is shared with who writes. */
import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { pageSize } from '../../page-size.ts';

const HEADER_BYTES = 8;
const BUSY_BIT = 0x80000000;

export class RingFile {
  readonly fd: number;
  readonly size: number;
  #produced = 0;

  /** `size` is a power of two and of the page size. */
  constructor(path: string, size = pageSize()) {
    writeFileSync(path, '');
    truncateSync(path, 2 * pageSize() + 2 * size);
    this.fd = openSync(path, 'r+');
    this.size = size;
  }

  /** As a program submits it. False when there is no room. */
  put(record: Uint8Array, { busy = false } = {}): boolean {
    const bytes = (HEADER_BYTES + record.length + 7) & ~7;
    if (this.#produced + bytes - this.consumed > this.size) return false;
    const whole = new Uint8Array(bytes);
    new DataView(whole.buffer).setUint32(0, (record.length | (busy ? BUSY_BIT : 0)) >>> 0, true);
    whole.set(record, HEADER_BYTES);
    const at = this.#produced % this.size;
    const twice = Buffer.alloc(2 * this.size);
    readSync(this.fd, twice, 0, twice.length, 2 * pageSize());
    // The kernel shows the same pages twice in a row.
    for (const [i, byte] of whole.entries()) twice[(at + i) % this.size] = byte;
    twice.copy(twice, this.size, 0, this.size);
    writeSync(this.fd, twice, 0, twice.length, 2 * pageSize());
    this.#produced += bytes;
    writeSync(this.fd, word(this.#produced), 0, 8, pageSize());
    return true;
  }

  get consumed(): number {
    const bytes = new BigUint64Array(1);
    readSync(this.fd, bytes, 0, 8, 0);
    return Number(bytes[0]);
  }

  close(): void {
    closeSync(this.fd);
  }
}

function word(value: number): BigUint64Array {
  return BigUint64Array.of(BigInt(value));
}
