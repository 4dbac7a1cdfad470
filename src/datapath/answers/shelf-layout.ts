/**
 * Of which maps a shelf consists, and how large they are: the sizes of an answer map follow from how many answers it may
 * hold. All of it is given out by the kernel when the shelf is made; nothing grows.
 */
import {
  ANSWER_HEAD_SIZE,
  ANSWER_LAYOUT,
  ANSWER_LOG_BYTES,
  ANSWER_SET_PLACES,
  ANSWER_SLOT_SIZE,
  encodeAnswerHead,
  LARGE_NAME_BYTES,
  LARGE_TAIL_BYTES,
  SMALL_NAME_BYTES,
  SMALL_TAIL_BYTES,
} from '../../answermap/answer-abi.gen.ts';
import type { AnswerShelf } from '../datapath.ts';
import type { MapSpec } from '../kernel/object-spec.ts';

/** In the order of `AnswerShelf.fds`. */
export const SHELF_PARTS = ['index', 'small', 'large', 'log'] as const;
export type ShelfPart = (typeof SHELF_PARTS)[number];

/** The maps by whose help the programs come from a shelf's number to its parts. */
export const OUTER_MAPS: Readonly<Record<ShelfPart, string>> = {
  index: 'answer_indexes',
  small: 'answer_smalls',
  large: 'answer_larges',
  log: 'answer_logs',
};

/** Least and most answers of a shelf: fewer are not worth the memory of its log, more are no cache of one node. */
export const MIN_ANSWER_ENTRIES = 1000;
export const MAX_ANSWER_ENTRIES = 1_000_000;

/** enum bpf_map_type */
export const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_RINGBUF = 27;
/** Memory that processes map, Linux 5.5; an inner map of any size, Linux 5.10. */
const BPF_F_MMAPABLE = 1 << 10;
const BPF_F_INNER_MAP = 1 << 12;

/** How few of the answers are larger than a small slot holds. */
const SMALL_PER_LARGE = 8;
/** Fewer, and answers lose their place to others though there is memory for both. */
const PLACES_PER_ANSWER = 2;

export type ShelfSizes = Pick<AnswerShelf, 'sets' | 'smallSlots' | 'largeSlots' | 'logBytes'>;

/** For this many small answers, and an eighth of it of large ones. */
export function sizesFor(entries: number): ShelfSizes {
  const bounded = Math.min(Math.max(Math.floor(entries), MIN_ANSWER_ENTRIES), MAX_ANSWER_ENTRIES);
  const largeSlots = Math.ceil(bounded / SMALL_PER_LARGE);
  const places = (bounded + largeSlots) * PLACES_PER_ANSWER;
  const sets = 2 ** Math.ceil(Math.log2(places / ANSWER_SET_PLACES));
  return { sets, smallSlots: bounded, largeSlots, logBytes: ANSWER_LOG_BYTES };
}

const VALUE_BYTES: Readonly<Record<ShelfPart, number>> = {
  index: ANSWER_HEAD_SIZE,
  small: ANSWER_SLOT_SIZE + SMALL_NAME_BYTES + SMALL_TAIL_BYTES,
  large: ANSWER_SLOT_SIZE + LARGE_NAME_BYTES + LARGE_TAIL_BYTES,
  log: 0,
};

function elementsOf(part: ShelfPart, sizes: ShelfSizes): number {
  // In front of the sets, the head.
  if (part === 'index') return sizes.sets + 1;
  if (part === 'small') return sizes.smallSlots;
  return part === 'large' ? sizes.largeSlots : sizes.logBytes;
}

export function partSpec(part: ShelfPart, sizes: ShelfSizes): MapSpec {
  const maxEntries = elementsOf(part, sizes);
  if (part === 'log') return { type: BPF_MAP_TYPE_RINGBUF, keySize: 0, valueSize: 0, maxEntries, flags: 0 };
  const flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP;
  return { type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: VALUE_BYTES[part], maxEntries, flags };
}

/** A map of the kind that `outer` holds, as small as there is: the kernel wants to see one before it makes the outer. */
export function innerTemplate(outer: string): MapSpec | undefined {
  const part = SHELF_PARTS.find((name) => OUTER_MAPS[name] === outer);
  return part && partSpec(part, { sets: 1, smallSlots: 1, largeSlots: 1, logBytes: ANSWER_LOG_BYTES });
}

/** Eight random bytes make it unforeseeable which names meet in a set; the multiplier has to be odd. */
export function shelfHead(sets: number, random: Uint8Array): Uint8Array {
  const view = new DataView(random.buffer, random.byteOffset, 8);
  const multiplier = (view.getUint32(4, true) | 1) >>> 0;
  return encodeAnswerHead({
    seed: view.getUint32(0, true),
    multiplier,
    setMask: sets - 1,
    layout: ANSWER_LAYOUT,
  });
}
