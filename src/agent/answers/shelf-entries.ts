/**
 * The entries of a shelf as the programs would give them at this moment: what they would not, because it has expired, makes no
 * sense or is just being changed, is no entry. Read place by place with rests between, because a shelf may have a million.
 */
import { setImmediate as rest } from 'node:timers/promises';
import {
  ANSWER_CHECKING_DISABLED,
  ANSWER_DNSSEC_OK,
  ANSWER_LOGGED,
  ANSWER_ROTATE,
  ANSWER_SLOT_SIZE,
  type AnswerSlot,
  decodeAnswerSlot,
  LARGE_NAME_BYTES,
  LARGE_TAIL_BYTES,
  MAX_ANSWER_TTLS,
  SMALL_NAME_BYTES,
  SMALL_TAIL_BYTES,
} from '../../answermap/answer-abi.gen.ts';
import { rcodeName, typeName } from '../../dns/codes.ts';
import { readerOf, readName } from '../../dns/reader.ts';
import type { ShelfReader, SlotCopy } from './shelf-reader.ts';

/** Read in one go; some tenths of a millisecond. */
const PLACES_A_TURN = 2048;
const RCODE_BITS = 0xf;

/** As JSON. */
export interface AnswerEntry {
  readonly shelf: number;
  /** Which of the cache's listeners it answers for. */
  readonly view: number;
  /** In lower case, as clients' names are compared. */
  readonly name: string;
  readonly type: string;
  /** Of the queries it answers. */
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly rcode: string;
  /** Of answer, authority and additional section. */
  readonly records: readonly [answers: number, authorities: number, additionals: number];
  /** Seconds, as a client would see them now. */
  readonly ttl: number;
  /** Since it was written. */
  readonly hits: number;
  readonly size: 'small' | 'large';
  readonly rotates: boolean;
  readonly logged: boolean;
}

/** Up to `most` of them, in no order; `left` counts those beyond. `nowNs` is CLOCK_MONOTONIC. */
export async function listEntries(
  memory: ShelfReader,
  { shelf, most, nowNs }: { readonly shelf: number; readonly most: number; readonly nowNs: () => bigint },
): Promise<{ readonly entries: readonly AnswerEntry[]; readonly left: number }> {
  const entries: AnswerEntry[] = [];
  let left = 0;
  let now = nowNs();
  for (let place = 0; place < memory.places; place++) {
    if (place % PLACES_A_TURN === PLACES_A_TURN - 1) {
      await rest();
      now = nowNs();
    }
    const copy = memory.copy(place);
    const entry = copy && decodeEntry(copy, { shelf, nowNs: now });
    if (entry === undefined) continue;
    if (entries.length < most) entries.push(entry);
    else left++;
  }
  return { entries, left };
}

/** Undefined when the programs would not give it. */
export function decodeEntry(
  { view, isLarge }: SlotCopy,
  { shelf, nowNs }: { readonly shelf: number; readonly nowNs: bigint },
): AnswerEntry | undefined {
  const slot = decodeAnswerSlot(view);
  const name = nameOf(view, slot);
  const ageSeconds = Number((nowNs - slot.storedNs) / 1_000_000_000n);
  const ttl = slot.ttlSeconds - ageSeconds;
  const fits =
    slot.nameLength <= (isLarge ? LARGE_NAME_BYTES : SMALL_NAME_BYTES) &&
    slot.tailLength <= (isLarge ? LARGE_TAIL_BYTES : SMALL_TAIL_BYTES) &&
    slot.ttlCount <= MAX_ANSWER_TTLS;
  if (name === undefined || !fits || nowNs >= slot.untilNs || ttl <= 0) return undefined;
  return {
    ...{ shelf, view: slot.view, name, type: typeName(slot.type) },
    dnssecOk: (slot.keyBits & ANSWER_DNSSEC_OK) !== 0,
    checkingDisabled: (slot.keyBits & ANSWER_CHECKING_DISABLED) !== 0,
    rcode: rcodeName(slot.headerBits & RCODE_BITS),
    records: [slot.answers, slot.authorities, slot.additionals],
    ttl,
    hits: slot.hits.reduce((sum, count) => sum + count, 0),
    size: isLarge ? 'large' : 'small',
    rotates: (slot.flags & ANSWER_ROTATE) !== 0,
    logged: (slot.flags & ANSWER_LOGGED) !== 0,
  };
}

function nameOf(view: DataView, { nameLength }: AnswerSlot): string | undefined {
  if (ANSWER_SLOT_SIZE + nameLength > view.byteLength) return undefined;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + ANSWER_SLOT_SIZE, nameLength);
  const reader = readerOf(bytes);
  const name = readName(reader);
  return reader.failure === undefined && reader.offset === nameLength ? name : undefined;
}
