/**
 * Shelves in the kernel: four maps each, pinned as `<number>-<part>` so that the next agent can open them without more
 * rights, and put into the outer maps, where the programs find them. A shelf is whole when the two agree on all four; an
 * agent that was killed while it made or took away one leaves less than that, which nobody else has got yet or wants any more.
 */
import { ANSWER_LAYOUT, decodeAnswerHead, MAX_SHELVES } from '../../answermap/answer-abi.gen.ts';
import { mapId, mapShape } from '../../sys/bpf.ts';
import { BpfMap, type MapEntries, u32Bytes } from '../../sys/bpf-map.ts';
import { openLibc } from '../../sys/libc.ts';
import type { AnswerShelf } from '../datapath.ts';
import { createMap } from '../kernel/pins.ts';
import { partSpec, SHELF_PARTS, type ShelfPart, type ShelfSizes } from './shelf-layout.ts';
import type { ShelfStore } from './shelf-store.ts';

/** A directory of pins. */
export interface ShelfPins {
  names(): readonly string[];
  /** A descriptor; undefined when there is none of that name. */
  open(name: string): number | undefined;
  pin(fd: number, name: string): void;
  /** Removing what is not there is nothing. */
  remove(name: string): void;
}

export interface KernelShelfParts {
  /** The outer maps; they stay the caller's. */
  readonly outer: Readonly<Record<ShelfPart, MapEntries>>;
  readonly pins: ShelfPins;
}

type Descriptors = AnswerShelf['fds'];

export class KernelShelfStore implements ShelfStore {
  readonly #parts: KernelShelfParts;

  constructor(parts: KernelShelfParts) {
    this.#parts = parts;
  }

  found(): readonly number[] {
    const pinned = new Set(this.#parts.pins.names().map(numberOf));
    return NUMBERS.filter((number) => pinned.has(number) || this.#isReachable(number));
  }

  open(number: number): AnswerShelf | undefined {
    const fds = SHELF_PARTS.map((part) => this.#parts.pins.open(pinName(number, part)));
    const shelf = this.#isWhole(number, fds) ? readShelf(number, fds) : undefined;
    if (shelf === undefined) closeAll(fds);
    return shelf;
  }

  create(number: number, sizes: ShelfSizes, head: Uint8Array): AnswerShelf {
    const fds: number[] = [];
    try {
      for (const part of SHELF_PARTS) fds.push(createMap(`${number}_${part}`, partSpec(part, sizes)));
      if (!areAll(fds)) throw new Error('A shelf has four parts');
      indexOf(fds).update(u32Bytes(0), head);
      for (const [i, part] of SHELF_PARTS.entries())
        this.#parts.pins.pin(fds[i] ?? -1, pinName(number, part));
      // The index last: by it the programs find the others.
      for (const part of SHELF_PARTS.toReversed())
        this.#parts.outer[part].update(u32Bytes(number), u32Bytes(fds[SHELF_PARTS.indexOf(part)] ?? -1));
      return { number, fds, ...sizes };
    } catch (error) {
      closeAll(fds);
      throw error;
    }
  }

  discard(number: number): void {
    for (const part of SHELF_PARTS) this.#parts.outer[part].delete(u32Bytes(number));
    for (const part of SHELF_PARTS) this.#parts.pins.remove(pinName(number, part));
  }

  release({ fds }: AnswerShelf): void {
    closeAll(fds);
  }

  #isReachable(number: number): boolean {
    return SHELF_PARTS.some((part) => this.#idIn(part, number) !== undefined);
  }

  /** Read, an outer map gives the number by which the kernel knows the inner one. */
  #idIn(part: ShelfPart, number: number): number | undefined {
    return this.#parts.outer[part].lookup(u32Bytes(number))?.getUint32(0, true);
  }

  #isWhole(number: number, fds: readonly (number | undefined)[]): fds is Descriptors {
    return areAll(fds) && SHELF_PARTS.every((part, i) => this.#idIn(part, number) === mapId(fds[i] ?? -1));
  }
}

/** Shelf 0 is nobody's. */
const NUMBERS: readonly number[] = Array.from({ length: MAX_SHELVES - 1 }, (_, i) => i + 1);

function pinName(number: number, part: ShelfPart): string {
  return `${number}-${part}`;
}

function numberOf(name: string): number {
  return Number.parseInt(name, 10);
}

function areAll(fds: readonly (number | undefined)[]): fds is Descriptors {
  return fds.length === SHELF_PARTS.length && fds.every((fd) => fd !== undefined);
}

function closeAll(fds: readonly (number | undefined)[]): void {
  for (const fd of fds) if (fd !== undefined) openLibc().close(fd);
}

/** Only to read and write its entries: whoever has the descriptors closes them. */
function indexOf(fds: Descriptors): BpfMap {
  const { keySize, valueSize } = partSpec('index', { sets: 1, smallSlots: 1, largeSlots: 1, logBytes: 0 });
  return new BpfMap(fds[0], { name: 'index', keySize, valueSize });
}

/** Undefined when it is of another layout. */
function readShelf(number: number, fds: Descriptors): AnswerShelf | undefined {
  const head = indexOf(fds).lookup(u32Bytes(0));
  const [index, small, large, log] = fds.map((fd) => mapShape(fd).maxEntries);
  if (head === undefined || index === undefined || small === undefined || large === undefined)
    return undefined;
  const { layout, setMask } = decodeAnswerHead(head);
  if (layout !== ANSWER_LAYOUT || setMask !== index - 2 || log === undefined) return undefined;
  return { number, fds, sets: index - 1, smallSlots: small, largeSlots: large, logBytes: log };
}
