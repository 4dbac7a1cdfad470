/**
 * Draws answers as a cache has them: every sort of them, names of every length, ages up to their expiry and a little beyond.
 * Shares nothing with `src/dns` but the name of the key: records are put together byte by byte.
 */
import type { AnswerKey, Share, WireAnswer } from '../../../src/wirecache/contract.ts';
import { decodeName } from '../../../src/wirecache/name-bytes.ts';
import type { Random } from '../random.ts';
import { u16 } from '../wire/packet-builder.ts';

/** How a zone of the server is answered. */
export interface ZoneShape {
  readonly zone: string;
  /** Of its partition. */
  readonly keepTtl?: boolean;
  readonly prefetch?: boolean;
  readonly positiveFirst?: boolean;
  /** Both listeners have its entries. */
  readonly shared?: boolean;
  readonly shuffle?: boolean;
  readonly limitBytes?: number;
  /** The main thread's alone. */
  readonly own?: boolean;
}

export const ZONES: readonly ZoneShape[] = [
  { zone: '' },
  { zone: 'keep.test', keepTtl: true },
  { zone: 'fetch.test', prefetch: true },
  { zone: 'first.test', positiveFirst: true },
  { zone: 'both.test', shared: true },
  { zone: 'turn.test', shuffle: true },
  { zone: 'small.test', limitBytes: 1232 },
  { zone: 'own.test', own: true },
];

export interface StoredAnswer {
  readonly listener: number;
  readonly zone: ZoneShape;
  readonly kind: string;
  readonly key: AnswerKey;
  /** As it is asked for: whole, on the wire, in the case that it was stored with. */
  readonly name: Uint8Array;
  readonly share: Share;
  readonly answer: WireAnswer;
  /** What stands under the same key in the other share. */
  readonly beside?: WireAnswer;
  /** What the kernel has of it, it must give. */
  readonly isMirrored: boolean;
}

export interface Origin {
  readonly listener: number;
  readonly zone: ZoneShape;
  readonly name: Uint8Array;
  readonly kind: string;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

interface Sections {
  readonly type: number;
  readonly share?: Share;
  readonly rcode?: number;
  readonly serverError?: boolean;
  readonly answers: readonly Drawn[];
  readonly authorities?: readonly Drawn[];
  readonly additionals?: readonly Drawn[];
}

interface Drawn {
  readonly owner: readonly number[];
  readonly type: number;
  readonly data: readonly number[];
}

const [A, NS, CNAME, SOA, NULL, MX, TXT, AAAA, SRV, RRSIG, HTTPS] = [1, 2, 5, 6, 10, 15, 16, 28, 33, 46, 65];
/** So that what is near expiry is met before and after it. */
const LATE_MS = 1500;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_';
const ODD_BYTES = [0x01, 0x20, 0x2e, 0x40, 0x5b, 0x5c, 0x60, 0x7b, 0x7f, 0x80, 0xc1, 0xdf, 0xe9, 0xff];

type Draw = (random: Random, name: readonly number[]) => Sections;

const KINDS: Readonly<Record<string, Draw>> = {
  A: (random, name) => ({ type: A, answers: many(1 + random.below(20), () => address(random, name, 4)) }),
  AAAA: (random, name) => ({
    type: AAAA,
    answers: many(1 + random.below(20), () => address(random, name, 16)),
  }),
  MX: (random, name) => ({
    type: MX,
    answers: many(1 + random.below(3), () => ({
      owner: name,
      type: MX,
      data: [0, random.below(99), ...host(random)],
    })),
  }),
  TXT: (random, name) => ({
    type: TXT,
    answers: many(1 + random.below(3), () => ({
      owner: name,
      type: TXT,
      data: text(random, random.below(120)),
    })),
  }),
  SRV: (random, name) => {
    const target = host(random);
    const data = [0, 1, 0, random.below(9), ...u16(random.below(65_536)), ...target];
    const additionals = many(random.below(3), () => address(random, target, 4));
    return { type: SRV, answers: [{ owner: name, type: SRV, data }], additionals };
  },
  CNAME: (random, name) => {
    const chain = [name, ...many(1 + random.below(3), () => host(random))];
    const links = chain.slice(1).map((to, i) => ({ owner: chain[i] ?? name, type: CNAME, data: to }));
    const last = chain.at(-1) ?? name;
    const size = random.pick([4, 16]);
    const ends = many(random.below(5), () => address(random, last, size));
    return { type: size === 4 ? A : AAAA, answers: [...links, ...ends] };
  },
  HTTPS: (random, name) => ({
    type: HTTPS,
    answers: [{ owner: name, type: HTTPS, data: bytes(random, random.below(80)) }],
  }),
  signed: (random, name) => ({
    type: A,
    answers: [address(random, name, 4), { owner: name, type: RRSIG, data: bytes(random, 96) }],
    authorities: [{ owner: host(random), type: NS, data: host(random) }],
  }),
  NXDOMAIN: (random) => ({
    type: random.pick([A, AAAA, TXT]),
    share: 'denial',
    rcode: 3,
    answers: [],
    authorities: [soa(random)],
  }),
  NODATA: (random) => ({
    type: random.pick([A, AAAA, MX]),
    share: 'denial',
    answers: [],
    authorities: [soa(random)],
  }),
  empty: () => ({ type: NS, share: 'denial', answers: [] }),
  SERVFAIL: () => ({ type: A, share: 'denial', rcode: 2, serverError: true, answers: [] }),
  REFUSED: () => ({ type: A, share: 'denial', rcode: 5, answers: [] }),
  /** On both sides of what a slot, an unextended message and an Ethernet frame hold. */
  edge: (random, name) => {
    const records = random.pick([
      256,
      512 - 16 - name.length,
      1024,
      1220 - 16 - name.length,
      1480 - 16 - name.length,
    ]);
    const size = Math.max(0, records - name.length - 10 + random.below(5) - 2);
    return { type: NULL, answers: [{ owner: name, type: NULL, data: bytes(random, size) }] };
  },
};

export const ANSWER_KINDS: readonly string[] = Object.keys(KINDS);
/** Never the kernel's. */
export const SERVER_KINDS: readonly string[] = ['SERVFAIL', 'REFUSED'];

/** In a zone of a listener; names are drawn until they fit. */
export function drawOrigin(random: Random, listener: number): Origin {
  const zone = random.pick(ZONES);
  const name = Uint8Array.from(drawName(random, zone.zone));
  const [dnssecOk, checkingDisabled] = [random.below(4) === 0, random.below(5) === 0];
  return { listener, zone, name, kind: random.pick(ANSWER_KINDS), dnssecOk, checkingDisabled };
}

/** Another answer each time; `nowMs` is of the clock that the cache's entries bear. */
export function drawAnswer(random: Random, origin: Origin, nowMs: number): StoredAnswer {
  const { zone, kind, name, listener, dnssecOk, checkingDisabled } = origin;
  const drawn = (KINDS[kind] ?? KINDS.A)?.(random, [...name]);
  if (drawn === undefined) throw new Error(`No kind ${kind}`);
  const { type, share = 'success', rcode = 0, serverError = false, answers } = drawn;
  const { authorities = [], additionals = [] } = drawn;
  const ttlSeconds = random.pick([1, 2, 5, 30, 60, 300, 300, 300, 3600, 86_400, 0x7fff_ffff]);
  const all = [...answers, ...authorities, ...additionals];
  const records = Uint8Array.from(all.flatMap((each) => recordBytes(each, ttlSeconds)));
  const answer: WireAnswer = {
    ...{ rcode, serverError, records, ttlSeconds },
    recursionAvailable: random.below(4) !== 0,
    authenticData: random.below(3) === 0,
    counts: { answers: answers.length, authorities: authorities.length, additionals: additionals.length },
    storedMs: nowMs - drawAge(random, ttlSeconds),
  };
  const key = { name: decodeName(name), type, class: 1, dnssecOk, checkingDisabled };
  const isGiven = !serverError && (rcode === 0 || rcode === 3) && zone.own !== true;
  const fits = all.length <= 16 && records.length <= 1024 && !hasZero(name);
  const tangles = zone.shuffle === true && mayTangle(all);
  const stored = { listener, zone, kind, key, name, share, answer };
  if (random.below(12) !== 0) return { ...stored, isMirrored: isGiven && fits && !tangles };
  // Which of the two is given, and whether by the kernel, is not for us to say.
  return { ...stored, beside: drawBeside(random, share, nowMs), isMirrored: false };
}

function drawBeside(random: Random, share: Share, nowMs: number): WireAnswer {
  const [serverError, ttlSeconds] = [share === 'success' && random.below(2) === 0, random.pick([2, 5, 300])];
  return {
    ...{ serverError, ttlSeconds, rcode: serverError ? 2 : random.pick([0, 3]), records: new Uint8Array() },
    ...{ recursionAvailable: true, authenticData: false },
    counts: { answers: 0, authorities: 0, additionals: 0 },
    storedMs: nowMs - drawAge(random, ttlSeconds),
  };
}

/** Milliseconds: mostly young, sometimes about to expire, seldom beyond it. */
function drawAge(random: Random, ttlSeconds: number): number {
  // No older than the machine may be.
  const most = Math.min(ttlSeconds, 60) * 1000;
  if (random.below(8) !== 0) return random.below(1000) / 1000 + random.below(Math.max(1, most / 4));
  return Math.max(0, most + LATE_MS - random.below(2 * LATE_MS));
}

/** More than one address among other records, or more than one exchange, may be left to the server. */
function mayTangle(all: readonly Drawn[]): boolean {
  const addresses = all.filter(({ type }) => type === A || type === AAAA);
  return (
    all.filter(({ type }) => type === MX).length > 1 ||
    (addresses.length > 1 && addresses.length < all.length)
  );
}

/** Half of them are short, the others end on both sides of what a slot or a message holds; the root is one as well. */
function drawName(random: Random, zone: string): readonly number[] {
  const tail = [...label(zone), 0];
  if (zone === '' && random.below(100) === 0) return tail;
  const target = random.pick([
    0,
    0,
    0,
    0,
    0,
    12 + random.below(40),
    62 + random.below(6),
    120 + random.below(100),
    253 + random.below(3),
  ]);
  if (target === 0)
    return [...drawLabel(random, 1 + random.below(14)), ...drawLabel(random, 1 + random.below(6)), ...tail];
  const name: number[] = [];
  for (let left = target - tail.length; left >= 2; left = target - tail.length - name.length)
    name.push(
      ...drawLabel(
        random,
        Math.min(left - 1, left === 65 ? 30 : 63, random.below(3) === 0 ? 63 : 1 + random.below(20)),
      ),
    );
  return [...name, ...tail];
}

function drawLabel(random: Random, length: number): readonly number[] {
  const isOdd = random.below(12) === 0;
  const one = () =>
    isOdd && random.below(3) === 0
      ? random.below(40) === 0
        ? 0
        : random.pick(ODD_BYTES)
      : LETTERS.charCodeAt(random.below(LETTERS.length));
  return [length, ...many(length, one)];
}

function label(zone: string): readonly number[] {
  if (zone === '') return [];
  return zone.split('.').flatMap((text) => [text.length, ...Buffer.from(text)]);
}

function hasZero(name: Uint8Array): boolean {
  return name.indexOf(0) !== name.length - 1;
}

const host = (random: Random) => [...drawLabel(random, 1 + random.below(9)), ...label('example.org'), 0];
const address = (random: Random, owner: readonly number[], size: number) => ({
  ...{ owner, type: size === 4 ? A : AAAA, data: bytes(random, size) },
});
const soa = (random: Random) => ({
  ...{
    owner: label('example.org').concat(0),
    type: SOA,
    data: [...host(random), ...host(random), ...bytes(random, 20)],
  },
});
const bytes = (random: Random, count: number) => many(count, () => random.below(256));
const text = (random: Random, length: number) => [length, ...bytes(random, length)];

function many<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function recordBytes({ owner, type, data }: Drawn, ttl: number): readonly number[] {
  return [
    ...owner,
    ...u16(type),
    0,
    1,
    ...u16(ttl >>> 16),
    ...u16(ttl & 0xffff),
    ...u16(data.length),
    ...data,
  ];
}
