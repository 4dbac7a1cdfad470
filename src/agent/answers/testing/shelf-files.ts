/** Test support: files in place of the kernel's maps of a shelf. What is mapped of either is shared with who maps it. */
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import {
  ANSWER_HEAD_SIZE,
  type AnswerSlot,
  encodeAnswerSlot,
  PLACE_GENERATION_SHIFT,
  PLACE_LARGE_BIT,
} from '../../../answermap/answer-abi.gen.ts';
import { indexBytes, LARGE_SLOT_BYTES, SMALL_SLOT_BYTES } from '../../../answermap/shelf-memory.ts';
import type { AnswerShelf, Datapath } from '../../../datapath/datapath.ts';

/** A slot with nothing in it but what every one of them has. */
export const EMPTY_SLOT: AnswerSlot = {
  ...{ generation: 1, type: 1, view: 1, keyBits: 0, flags: 0, headerBits: 0x80, nameLength: 0 },
  ...{ answers: 1, authorities: 0, additionals: 0, tailLength: 16, storedNs: 0n, untilNs: 30_000_000_000n },
  ...{ ttlSeconds: 30, limitBytes: 0, tailSum: 0, runStart: 0, runStride: 0, runCount: 0 },
  ...{ ttlCount: 1, ttlEven: 1, ttlPlaces: [6], hits: [], cookieBytes: 0, used: 0 },
};

export function wireName(...labels: readonly string[]): Uint8Array {
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label)]), 0]);
}

/** The fields of a slot and its name. */
export function answerBytes(what: Partial<AnswerSlot> & { readonly name: Uint8Array }): Uint8Array {
  return Buffer.concat([
    encodeAnswerSlot({ ...EMPTY_SLOT, nameLength: what.name.length, ...what }),
    what.name,
  ]);
}

export function placeValue({ slot, isLarge = false, generation = 1 }: PlaceValue): bigint {
  const large = isLarge ? 1n << BigInt(PLACE_LARGE_BIT) : 0n;
  return BigInt(slot) | large | (BigInt(generation) << BigInt(PLACE_GENERATION_SHIFT));
}

interface PlaceValue {
  readonly slot: number;
  readonly isLarge?: boolean;
  readonly generation?: number;
}

export class ShelfFiles {
  readonly shelf: AnswerShelf;
  readonly #fds: readonly [number, number, number, number];

  constructor(directory: string, shelf: AnswerShelf) {
    const open = (part: string, bytes: number) => {
      const path = join(directory, `${shelf.number}-${part}`);
      writeFileSync(path, '', { flag: 'a' });
      truncateSync(path, bytes);
      return openSync(path, 'r+');
    };
    this.#fds = [
      open('index', indexBytes(shelf)),
      open('small', SMALL_SLOT_BYTES * shelf.smallSlots),
      open('large', LARGE_SLOT_BYTES * shelf.largeSlots),
      open('log', shelf.logBytes),
    ];
    this.shelf = { ...shelf, fds: this.#fds };
  }

  /** As a cache writes them: the slot, then the place that leads there. */
  put(
    place: number,
    { slot, isLarge = false, generation }: PlaceValue,
    what: Partial<AnswerSlot> & { readonly name: Uint8Array },
  ): void {
    const bytes = answerBytes(what);
    writeSync(
      this.#fds[isLarge ? 2 : 1],
      bytes,
      0,
      bytes.length,
      slot * (isLarge ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES),
    );
    const value = placeValue({ slot, isLarge, generation: generation ?? what.generation ?? 1 });
    this.write(0, ANSWER_HEAD_SIZE + 8 * place, new Uint8Array(BigUint64Array.of(value).buffer));
  }

  /** Into index, small or large slots. */
  write(part: 0 | 1 | 2, at: number, bytes: Uint8Array): void {
    writeSync(this.#fds[part], bytes, 0, bytes.length, at);
  }

  close(): void {
    for (const fd of this.#fds) closeSync(fd);
  }
}

/** The datapath with files behind its shelves; `files` gets those that were asked for, and is the caller's to close. */
export function withShelfFiles<T extends Datapath>(
  datapath: T,
  { directory, files, ...more }: { directory: string; files: Map<number, ShelfFiles> } & Partial<Datapath>,
): T {
  const filled = (shelf: AnswerShelf | undefined) => {
    if (shelf === undefined) return undefined;
    const known = files.get(shelf.number) ?? new ShelfFiles(directory, shelf);
    files.set(shelf.number, known);
    return known.shelf;
  };
  const own: Partial<Datapath> = {
    openShelf: () => filled(datapath.openShelf()),
    shelf: (number) => filled(datapath.shelf(number)),
    shelves: () => datapath.shelves().map((shelf) => filled(shelf) ?? shelf),
    ...more,
  };
  return new Proxy(datapath, {
    get(target, key) {
      const value: unknown = Reflect.get(key in own ? own : target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
