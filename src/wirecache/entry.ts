/**
 * One stored answer as it lies in its chunks: written once before it can be found, never changed until it is gone, and
 * read back for the main thread. Packet threads have their own, faster way in `packet-answerer.ts`.
 */
import type { AnswerKey, Share, StoredAnswer, WireAnswer } from './contract.ts';
import type { FoldedName } from './folded-name.ts';
import {
  BITS,
  CHUNK_WORDS,
  ENTRY,
  FIRST_STREAM_WORDS,
  KEY_BITS,
  NAME_LENGTH_SHIFT,
  NEXT_STREAM_WORDS,
  OWNER_KEY_MASK,
  SIDE,
  SIDE_WORDS,
} from './layout.ts';
import type { Memory } from './memory.ts';
import { decodeName } from './name-bytes.ts';
import type { RecordLayout } from './record-layout.ts';

/** A key in the form in which entries hold it. */
export interface FoldedKey {
  readonly name: FoldedName;
  readonly kind: number;
  readonly partition: number;
  /** Of `KEY_BITS`. */
  readonly bits: number;
}

export function kindOf(key: Pick<AnswerKey, 'type' | 'class'>): number {
  return key.type | (key.class << 16);
}

export function keyBitsOf(key: Pick<AnswerKey, 'dnssecOk' | 'checkingDisabled'>): number {
  return (key.dnssecOk ? BITS.DNSSEC_OK : 0) | (key.checkingDisabled ? BITS.CHECKING_DISABLED : 0);
}

export function shareBit(share: Share): number {
  return share === 'denial' ? BITS.DENIAL : 0;
}

/** Words that further TTL places take: two stand in the head, two share a word. */
export function placeWords(records: number): number {
  return records <= 2 ? 0 : (records - 1) >> 1;
}

/** A name and 65,535 bytes of records, with room for where their TTLs stand. */
export const MAX_STREAM_WORDS = (0x1_0000 + 256) / 4 + 0x1_0000 / 16;

/** Chunks an answer takes. */
export function chunksFor(nameBytes: number, records: number, recordBytes: number): number {
  const words = placeWords(records) + ((nameBytes + recordBytes + 3) >> 2);
  return words <= FIRST_STREAM_WORDS ? 1 : 1 + Math.ceil((words - FIRST_STREAM_WORDS) / NEXT_STREAM_WORDS);
}

/** Into a chain that is long enough and that nobody can find yet. `stream` is `MAX_STREAM_WORDS` to work with. */
export function writeEntry(
  memory: Memory,
  entry: number,
  stream: Int32Array,
  { key, share, answer, layout }: { key: FoldedKey; share: Share; answer: WireAnswer; layout: RecordLayout },
): void {
  const { words, doubles, geometry } = memory;
  const head = geometry.data + entry * CHUNK_WORDS;
  const { counts, records } = answer;
  const [first = 0, second = 0, ...further] = layout.ttlPlaces;
  words[head + ENTRY.TTL_PLACES] = first | (second << 16);
  words[head + ENTRY.OWNER] = key.partition | (key.name.length << NAME_LENGTH_SHIFT);
  words[head + ENTRY.KIND] = key.kind;
  doubles[(head + ENTRY.STORED) >> 1] = answer.storedMs;
  words[head + ENTRY.TTL] = answer.ttlSeconds;
  // Nothing is shuffled in an error (dns-server 3.10).
  const shuffleBits = answer.rcode === 0 ? layout.shuffleBits : 0;
  words[head + ENTRY.BITS] = answerBits(answer) | key.bits | shareBit(share) | shuffleBits;
  words[head + ENTRY.COUNTS] = counts.answers | (counts.authorities << 16);
  words[head + ENTRY.EXTENT] = counts.additionals | (records.length << 16);
  const places = placeWords(layout.ttlPlaces.length);
  for (let i = 0; i < further.length; i += 2) {
    stream[i >> 1] = (further[i] ?? 0) | ((further[i + 1] ?? 0) << 16);
  }
  const bytes = new Uint8Array(stream.buffer, 4 * places);
  for (let i = 0; i < key.name.length; i++) bytes[i] = key.name.bytes[i] ?? 0;
  bytes.set(records, key.name.length);
  const total = places + ((key.name.length + records.length + 3) >> 2);
  forEachPiece(memory, entry, total, (at, from, count) => {
    for (let i = 0; i < count; i++) words[at + i] = stream[from + i] ?? 0;
  });
}

function answerBits(answer: WireAnswer): number {
  return (
    (answer.rcode & BITS.RCODE) |
    (answer.recursionAvailable ? BITS.RECURSION_AVAILABLE : 0) |
    (answer.authenticData ? BITS.AUTHENTIC_DATA : 0) |
    (answer.serverError ? BITS.SERVER_ERROR : 0)
  );
}

export function matchesKey(memory: Memory, entry: number, key: FoldedKey, share: Share): boolean {
  const { words, geometry } = memory;
  const head = geometry.data + entry * CHUNK_WORDS;
  const owner = (words[head + ENTRY.OWNER] ?? 0) & OWNER_KEY_MASK;
  if (owner !== (key.partition | (key.name.length << NAME_LENGTH_SHIFT))) return false;
  if (words[head + ENTRY.KIND] !== key.kind) return false;
  const bits = (words[head + ENTRY.BITS] ?? 0) & (KEY_BITS | BITS.DENIAL);
  if (bits !== (key.bits | shareBit(share))) return false;
  const at = nameAt(memory, entry);
  const bytes = at < 0 ? entryName(memory, entry) : memory.bytes;
  const from = Math.max(at, 0);
  for (let i = 0; i < key.name.length; i++) if (bytes[from + i] !== key.name.bytes[i]) return false;
  return true;
}

export function partitionOf({ words, geometry }: Memory, entry: number): number {
  return (words[geometry.data + entry * CHUNK_WORDS + ENTRY.OWNER] ?? 0) & 0xffff;
}

export function shareOf({ words, geometry }: Memory, entry: number): Share {
  const bits = words[geometry.data + entry * CHUNK_WORDS + ENTRY.BITS] ?? 0;
  return (bits & BITS.DENIAL) === 0 ? 'success' : 'denial';
}

/** Where the name begins in the shared bytes; -1 when it does not lie in one piece. */
export function nameAt(memory: Memory, entry: number): number {
  const { words, geometry } = memory;
  const head = geometry.data + entry * CHUNK_WORDS;
  const length = ((words[head + ENTRY.OWNER] ?? 0) >>> NAME_LENGTH_SHIFT) & 0xff;
  const from = placeWords(recordCount(memory, head));
  return 4 * from + length <= 4 * FIRST_STREAM_WORDS ? 4 * (head + ENTRY.STREAM + from) : -1;
}

/** In lower case. */
export function entryName(memory: Memory, entry: number): Uint8Array {
  const { words, geometry } = memory;
  const head = geometry.data + entry * CHUNK_WORDS;
  const length = ((words[head + ENTRY.OWNER] ?? 0) >>> NAME_LENGTH_SHIFT) & 0xff;
  const from = 4 * placeWords(recordCount(memory, head));
  return readStream(memory, entry, { from, length });
}

export function readKey(memory: Memory, entry: number): AnswerKey {
  const { words, geometry } = memory;
  const head = geometry.data + entry * CHUNK_WORDS;
  const kind = words[head + ENTRY.KIND] ?? 0;
  const bits = words[head + ENTRY.BITS] ?? 0;
  return {
    name: decodeName(entryName(memory, entry)),
    type: kind & 0xffff,
    class: kind >>> 16,
    dnssecOk: (bits & BITS.DNSSEC_OK) !== 0,
    checkingDisabled: (bits & BITS.CHECKING_DISABLED) !== 0,
  };
}

export function readAnswer(memory: Memory, entry: number): StoredAnswer {
  const { words, doubles, geometry } = memory;
  const head = geometry.data + entry * CHUNK_WORDS;
  const bits = words[head + ENTRY.BITS] ?? 0;
  const counts = words[head + ENTRY.COUNTS] ?? 0;
  const extent = words[head + ENTRY.EXTENT] ?? 0;
  const nameLength = ((words[head + ENTRY.OWNER] ?? 0) >>> NAME_LENGTH_SHIFT) & 0xff;
  const from = 4 * placeWords(recordCount(memory, head)) + nameLength;
  return {
    share: shareOf(memory, entry),
    rcode: bits & BITS.RCODE,
    recursionAvailable: (bits & BITS.RECURSION_AVAILABLE) !== 0,
    authenticData: (bits & BITS.AUTHENTIC_DATA) !== 0,
    serverError: (bits & BITS.SERVER_ERROR) !== 0,
    counts: { answers: counts & 0xffff, authorities: counts >>> 16, additionals: extent & 0xffff },
    records: readStream(memory, entry, { from, length: extent >>> 16 }),
    ttlSeconds: words[head + ENTRY.TTL] ?? 0,
    storedMs: doubles[(head + ENTRY.STORED) >> 1] ?? 0,
    hits: words[geometry.side + entry * SIDE_WORDS + SIDE.HITS] ?? 0,
  };
}

function recordCount({ words }: Memory, head: number): number {
  const counts = words[head + ENTRY.COUNTS] ?? 0;
  return (counts & 0xffff) + (counts >>> 16) + ((words[head + ENTRY.EXTENT] ?? 0) & 0xffff);
}

/** A copy of some bytes behind the head. */
function readStream(
  memory: Memory,
  entry: number,
  { from, length }: { from: number; length: number },
): Uint8Array {
  const copy = new Uint8Array(length);
  forEachPiece(memory, entry, (from + length + 3) >> 2, (at, firstWord, count) => {
    const start = Math.max(from, 4 * firstWord);
    const end = Math.min(from + length, 4 * (firstWord + count));
    const source = 4 * at + start - 4 * firstWord;
    if (end > start) copy.set(memory.bytes.subarray(source, source + end - start), start - from);
  });
  return copy;
}

/** The first `total` words behind the head: where each piece lies, which words it holds, how many. */
function forEachPiece(
  { words, geometry }: Memory,
  entry: number,
  total: number,
  visit: (at: number, from: number, count: number) => void,
): void {
  let chunk = entry;
  let at = geometry.data + chunk * CHUNK_WORDS + ENTRY.STREAM;
  let room = FIRST_STREAM_WORDS;
  for (let from = 0; from < total; ) {
    const count = Math.min(room, total - from);
    visit(at, from, count);
    from += count;
    chunk = words[geometry.data + chunk * CHUNK_WORDS + ENTRY.NEXT] ?? 0;
    at = geometry.data + chunk * CHUNK_WORDS + 1;
    room = NEXT_STREAM_WORDS;
  }
}
