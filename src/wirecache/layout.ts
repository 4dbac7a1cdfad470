/**
 * What lies where in the shared memory. Offsets count words of four bytes; the machine is little-endian, as everything
 * this program runs on is. Layouts are private to one process, so there is no version. Memory that is never written
 * costs nothing, hence the generous regions.
 */

/** Single words; those that change stand on cache lines of their own. */
export const HEAD = {
  CHUNKS: 0,
  /** Low bits of an index slot that hold a chunk number; those above are the tag. */
  REF_BITS: 1,
  MAX_LEVEL: 2,
  /** Of the hash: random for each process. */
  SEED: 3,
  MULTIPLIER: 4,
  /** Grows whenever something was taken out. */
  EPOCH: 16,
  /** The index table in use holds 2^level sets. */
  LEVEL: 32,
  /** Grows with each replacement of the routes. */
  ROUTES: 48,
  /** Seats from here on were never taken. */
  SEATS: 49,
} as const;
const HEAD_WORDS = 64;

/** Readers at the same time. */
export const MAX_SEATS = 32;
export const SEAT_WORDS = 16;
/** The last so many route tables stay readable: a reader follows within a batch, a reload takes longer than that. */
export const ROUTE_TABLES = 8;
/** Some thousand zones. */
export const ROUTE_TABLE_WORDS = 0x1_0000;
/** Counted routes of one table; further ones are left to the main thread. */
export const MAX_COUNTED_OF_TABLE = 128;
/** A table and the one before it, by which readers may still answer. */
export const MAX_COUNTED = 2 * MAX_COUNTED_OF_TABLE;
/** Room for the counters of one route and reader: `COUNTER` below. */
export const COUNTER_WORDS = 128;

/** One cache line of slots: sixteen places for a name, of which four are taken on average before the table grows. */
export const SET_SLOTS = 16;
export const GROW_AT = 4;
/** The average at which one full set makes the table grow: below it names were chosen to collide. */
export const GROW_EARLY_AT = 2;
export const MIN_LEVEL = 6;

/**
 * Three cache lines: an address for a service's name fits into one chunk, and so does the denial with an SOA that every
 * name of a search path gets before it.
 */
export const CHUNK_WORDS = 48;
export const CHUNK_BYTES = 4 * CHUNK_WORDS;
/** Per chunk, of use where an entry starts. */
export const SIDE_WORDS = 8;
const BYTES_PER_CHUNK = CHUNK_BYTES + 4 * SIDE_WORDS;

/**
 * The first chunk of an entry. Behind it, over as many chunks as it takes: further TTL places, the name in lower case,
 * and straight after it the records, which so have the phase they will have behind the question of a reply.
 */
export const ENTRY = {
  /** In every chunk: number of the next one; 0 ends. */
  NEXT: 0,
  /** Where the TTLs of the first two records stand, 16 bits each, counted from the first record. */
  TTL_PLACES: 1,
  /** Partition (16 bits), bytes of the name (8), and a byte that readers write: in use since the hands passed. */
  OWNER: 2,
  /** Type and class, 16 bits each. */
  KIND: 3,
  /** A double. */
  STORED: 4,
  TTL: 6,
  /** `BITS` below. */
  BITS: 7,
  /** Answers and authorities, 16 bits each. */
  COUNTS: 8,
  /** Additionals and bytes of all records, 16 bits each. */
  EXTENT: 9,
  STREAM: 10,
} as const;
/** Words of the first chunk that are left for what does not have its own place. */
export const FIRST_STREAM_WORDS = CHUNK_WORDS - ENTRY.STREAM;
/** Words of each further chunk. */
export const NEXT_STREAM_WORDS = CHUNK_WORDS - 1;

/** Of `ENTRY.BITS`; the low byte is the last byte of the flags as they go out, without CD. */
export const BITS = {
  RCODE: 0x0f,
  AUTHENTIC_DATA: 0x20,
  RECURSION_AVAILABLE: 0x80,
  SERVER_ERROR: 0x100,
  DNSSEC_OK: 0x200,
  CHECKING_DISABLED: 0x400,
  DENIAL: 0x800,
  /** Shuffled by moving the data of `RUN_COUNT` records from `RUN_FIRST` on. */
  RUN: 0x1000,
  /** Shuffling would move more than data: the main thread does it. */
  TANGLED: 0x2000,
  RUN_FIRST_SHIFT: 14,
  RUN_COUNT_SHIFT: 22,
  RUN_MASK: 0xff,
} as const;
export const KEY_BITS = BITS.DNSSEC_OK | BITS.CHECKING_DISABLED;

/** In `ENTRY.OWNER`. */
export const OWNER_KEY_MASK = 0xff_ffff;
export const NAME_LENGTH_SHIFT = 16;
/** Byte of `ENTRY.OWNER` that holds the marks, and the marks: one for each list an entry stands in. */
export const MARK_BYTE = 4 * ENTRY.OWNER + 3;
export const MARKS = { SHARE: 1, ALL: 2, BOTH: 3 } as const;

/** Beside each first chunk. While an entry waits for its readers, the first two hold the next one and the epoch. */
export const SIDE = {
  OLDER: 0,
  NEWER: 1,
  OLDER_OF_ALL: 2,
  NEWER_OF_ALL: 3,
  HASH: 4,
  HITS: 5,
  LAST_HIT: 6,
  CHUNKS: 7,
} as const;

export interface Geometry {
  readonly chunks: number;
  readonly refBits: number;
  readonly maxLevel: number;
  readonly seats: number;
  readonly routes: number;
  readonly counters: number;
  /** Of the smallest table. */
  readonly index: number;
  readonly side: number;
  readonly data: number;
  readonly totalWords: number;
}

/** About a sixth goes to the index, whose tables add up to less than twice the largest. */
export function geometryOf(budgetBytes: number): Geometry {
  let maxLevel = MIN_LEVEL;
  while (indexWords(maxLevel + 1) * 4 <= budgetBytes / 6) maxLevel++;
  return geometry(Math.floor((budgetBytes - indexWords(maxLevel) * 4) / BYTES_PER_CHUNK), maxLevel);
}

/** Chunk 0 does not exist: 0 means none. */
export function geometry(chunks: number, maxLevel: number): Geometry {
  const seats = HEAD_WORDS;
  const routes = seats + MAX_SEATS * SEAT_WORDS;
  const counters = routes + ROUTE_TABLES * ROUTE_TABLE_WORDS;
  const index = counters + MAX_SEATS * MAX_COUNTED * COUNTER_WORDS;
  const side = index + indexWords(maxLevel);
  const data = Math.ceil((side + (chunks + 1) * SIDE_WORDS) / CHUNK_WORDS) * CHUNK_WORDS;
  const totalWords = data + (chunks + 1) * CHUNK_WORDS;
  return {
    chunks,
    refBits: 32 - Math.clz32(chunks),
    maxLevel,
    seats,
    routes,
    counters,
    index,
    side,
    data,
    totalWords,
  };
}

/** Of all tables up to a level: each is twice the one before. */
export function indexWords(level: number): number {
  return ((1 << (level + 1)) - (1 << MIN_LEVEL)) * SET_SLOTS;
}

/** Where the table of a level begins, from the start of the index. */
export function tableOffset(level: number): number {
  return ((1 << level) - (1 << MIN_LEVEL)) * SET_SLOTS;
}
