/** Test support: a shelf of the answer map in files, which a server maps as it maps the kernel's memory. */
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  indexBytes,
  LARGE_SLOT_BYTES,
  mapShelf,
  type ShelfMemory,
  SMALL_SLOT_BYTES,
} from '../../../answermap/shelf-memory.ts';
import type { ShelfGrant } from '../../../heartbeat/messages.ts';
import { pageSize } from '../../../sys/page-size.ts';
import { RingFile } from '../../../sys/ring/testing/ring-file.ts';

const SIZE = { sets: 64, smallSlots: 128, largeSlots: 16 };

export class ShelfFiles {
  readonly grant: ShelfGrant;
  readonly log: RingFile;
  /** As the kernel's programs see it. */
  readonly memory: ShelfMemory;
  readonly #directory = mkdtempSync(join(tmpdir(), 'zerohop-shelf-'));
  readonly #files: readonly [number, number, number];

  constructor(number: number) {
    this.log = new RingFile(join(this.#directory, 'log'), 8 * pageSize());
    this.grant = { number, ...SIZE, logBytes: this.log.size };
    this.#files = [
      this.#file('index', indexBytes(SIZE)),
      this.#file('small', SIZE.smallSlots * SMALL_SLOT_BYTES),
      this.#file('large', SIZE.largeSlots * LARGE_SLOT_BYTES),
    ];
    this.memory = mapShelf(this.#files, SIZE);
  }

  /** Index, small and large slots, log. */
  get fds(): readonly [number, number, number, number] {
    return [...this.#files, this.log.fd];
  }

  /** Places of the index that lead to an answer. */
  get entries(): number {
    return this.memory.places.filter((place) => place !== 0n).length;
  }

  close(): void {
    this.memory.close();
    this.log.close();
    for (const fd of this.#files) closeSync(fd);
    rmSync(this.#directory, { recursive: true });
  }

  #file(name: string, bytes: number): number {
    const path = join(this.#directory, name);
    const page = pageSize();
    writeFileSync(path, '');
    truncateSync(path, Math.ceil(bytes / page) * page);
    return openSync(path, 'r+');
  }
}
