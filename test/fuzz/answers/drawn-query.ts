/**
 * Draws queries, most of them for stored names: as clients ask, as clients may ask but seldom do, nearly right, and damaged.
 * The kind says which; what becomes of a query is told by its bytes alone.
 */
import type { Random } from '../random.ts';
import { u16 } from '../wire/packet-builder.ts';
import type { StoredAnswer } from './stored-answers.ts';

/** What is asked for: a name in any case, its type, and its bits. */
export interface Asked {
  readonly name: Uint8Array;
  readonly key: Pick<StoredAnswer['key'], 'type' | 'dnssecOk' | 'checkingDisabled'>;
}

export interface DrawnQuery {
  readonly kind: string;
  readonly bytes: Uint8Array;
}

/** Kinds of queries that the kernel has to answer when it can: it is made for these. */
export const PLAIN_KINDS: readonly string[] = ['bare', 'opt', 'cookie'];
const [RD, AD, CD] = [0x0100, 0x0020, 0x0010];
const SIZES = [0, 1, 511, 512, 513, 1220, 1231, 1232, 1233, 1400, 1480, 1481, 4096, 65_535];

interface Shape {
  name: Uint8Array;
  type: number;
  class: number;
  flags: number;
  counts: number[];
  /** Records behind the question, whole. */
  behind: number[];
}

type Draw = (random: Random, stored: Asked) => Uint8Array;

const DRAWS: Readonly<Record<string, Draw>> = {
  bare: (random, stored) => {
    if (stored.key.dnssecOk) return build(withOpt(random, stored, []), random);
    return build(plain(random, stored), random);
  },
  opt: (random, stored) => build(withOpt(random, stored, []), random),
  cookie: (random, stored) =>
    build(withOpt(random, stored, cookie(random, random.pick([8, 8, 16, 17, 24, 31, 40]))), random),
  'other cookie': (random, stored) =>
    build(withOpt(random, stored, cookie(random, random.pick([0, 1, 7, 9, 15, 41, 42, 64, 255]))), random),
  option: (random, stored) => build(withOpt(random, stored, otherOption(random)), random),
  'two options': (random, stored) => {
    const first = random.below(2) === 0 ? cookie(random, 8) : otherOption(random);
    return build(
      withOpt(random, stored, [...first, ...random.pick([cookie(random, 8), otherOption(random)])]),
      random,
    );
  },
  'odd OPT': (random, stored) => {
    const shape = withOpt(random, stored, random.below(2) === 0 ? cookie(random, 8) : []);
    oddOpt(random, shape);
    return build(shape, random);
  },
  'several records': (random, stored) => {
    const shape = withOpt(random, stored, []);
    const record = [...random.pick([[0], [0xc0, 12], [1, 97, 0]]), 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4];
    const opt = shape.behind;
    shape.behind = random.pick([[...opt, ...opt], [...record, ...opt], [...opt, ...record], record]);
    shape.counts[random.pick([1, 2, 3, 3, 3])] = random.pick([1, 2, 2, 3]);
    return build(shape, random);
  },
  near: (random, stored) => {
    const shape =
      random.below(2) === 0 && !stored.key.dnssecOk ? plain(random, stored) : withOpt(random, stored, []);
    almost(random, shape);
    return build(shape, random);
  },
  header: (random, stored) => {
    const shape = plain(random, stored);
    if (random.below(3) !== 0)
      shape.flags = random.pick([shape.flags ^ (1 << random.below(16)), random.below(65_536)]);
    else shape.counts[random.below(4)] = random.pick([0, 1, 2, 255, 256, 65_535]);
    return build(shape, random);
  },
  'other type or class': (random, stored) => {
    const shape = plain(random, stored);
    if (random.below(2) === 0)
      shape.type = random.pick([0, 41, 43, 251, 252, 255, 256, 65_535, random.below(65_536)]);
    else shape.class = random.pick([0, 2, 3, 4, 254, 255, 256, 257, 0x8001]);
    return build(shape, random);
  },
  zeros: (random, stored) => {
    const shape = plain(random, stored);
    shape.name[1 + random.below(shape.name.length)] = 0;
    return build(shape, random);
  },
  pointer: (random, stored) => {
    const shape = plain(random, stored);
    const at = random.below(shape.name.length);
    shape.name = Uint8Array.from([
      ...shape.name.subarray(0, at),
      0xc0 | random.below(2),
      random.pick([0, 12, 12 + at, 255]),
    ]);
    return build(shape, random);
  },
  longer: (random, stored) => {
    const query = build(random.below(2) === 0 ? withOpt(random, stored, []) : plain(random, stored), random);
    return Uint8Array.from([...query, ...noise(random, 1 + random.below(random.pick([2, 40, 400])))]);
  },
  shorter: (random, stored) => {
    const query = build(withOpt(random, stored, random.below(2) === 0 ? cookie(random, 8) : []), random);
    return query.slice(0, random.below(query.length));
  },
  damaged: (random, stored) => {
    const query = build(
      random.below(2) === 0 ? withOpt(random, stored, cookie(random, 8)) : plain(random, stored),
      random,
    );
    for (let i = 1 + random.below(3); i > 0; i--) query[random.below(query.length)] = random.below(256);
    return query;
  },
  garbage: (random) => Uint8Array.from(noise(random, random.below(random.pick([12, 60, 400])))),
};

export const QUERY_KINDS: readonly string[] = Object.keys(DRAWS);
const ODD_KINDS = QUERY_KINDS.filter((kind) => !PLAIN_KINDS.includes(kind));

/** Three of five are of the kinds that the kernel is made for. */
export function drawQuery(random: Random, stored: Asked): DrawnQuery {
  const kind = random.below(5) < 3 ? random.pick(PLAIN_KINDS) : random.pick(ODD_KINDS);
  const draw = DRAWS[kind];
  if (draw === undefined) throw new Error(`No kind ${kind}`);
  return { kind, bytes: draw(random, stored) };
}

function plain(random: Random, { name, key }: Asked): Shape {
  const flags =
    random.pick([RD, RD, RD, 0, RD | AD, AD, RD | 0x0640, 0x0380]) | (key.checkingDisabled ? CD : 0);
  return { name: inAnyCase(random, name), type: key.type, class: 1, flags, counts: [1, 0, 0, 0], behind: [] };
}

function withOpt(random: Random, stored: Asked, options: readonly number[]): Shape {
  const shape = plain(random, stored);
  shape.counts[3] = 1;
  const [size, rcode] = [
    random.pick([...SIZES, random.below(65_536)]),
    random.pick([0, 0, 0, random.below(256)]),
  ];
  const flags = (stored.key.dnssecOk ? 0x8000 : 0) | random.pick([0, 0, 0, random.below(0x8000)]);
  shape.behind = [0, ...u16(41), ...u16(size), rcode, 0, ...u16(flags), ...u16(options.length), ...options];
  return shape;
}

function oddOpt(random: Random, { behind }: Shape): void {
  const at = random.pick([0, 1, 2, 6, 9, 10]);
  behind[at] =
    at === 6
      ? 1 + random.below(255)
      : random.pick([(behind[at] ?? 0) ^ (1 << random.below(8)), random.below(256)]);
}

/** One thing is not as it was stored. */
function almost(random: Random, shape: Shape): void {
  const { name } = shape;
  const which = random.below(6);
  if (which === 0) shape.flags ^= CD;
  else if (which === 1) shape.type ^= 1 << random.below(6);
  else if (which === 2 && shape.behind.length > 0) shape.behind[7] = (shape.behind[7] ?? 0) ^ 0x80;
  else if (which === 3) shape.name = name.slice(1 + (name[0] ?? 0));
  else if (which === 4) shape.name = Uint8Array.from([1, 0x61 + random.below(26), ...name]);
  else {
    const at = random.below(name.length);
    name[at] = (name[at] ?? 0) ^ (1 << random.below(8));
  }
}

/** RFC 4343: only these letters have two cases; length bytes are below them. */
function inAnyCase(random: Random, name: Uint8Array): Uint8Array {
  let bits = 0;
  return name.map((byte, i) => {
    if (i % 32 === 0) bits = random.next();
    const isLetter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    return isLetter && (bits >>> (i % 32)) & 1 ? byte ^ 0x20 : byte;
  });
}

function build({ name, type, class: kind, flags, counts, behind }: Shape, random: Random): Uint8Array {
  const head = [...u16(random.below(65_536)), ...u16(flags), ...counts.flatMap(u16)];
  return Uint8Array.from([...head, ...name, ...u16(type), ...u16(kind), ...behind]);
}

function cookie(random: Random, length: number): readonly number[] {
  return [...u16(10), ...u16(length), ...noise(random, length)];
}

function otherOption(random: Random): readonly number[] {
  const subnet = [...u16(8), 0, 7, 0, 1, 24, 0, 192, 0, 2];
  const length = random.below(20);
  return random.pick([
    subnet,
    [...u16(3), 0, 0],
    [...u16(12), ...u16(length), ...noise(random, length)],
    [...u16(11), 0, 0],
  ]);
}

function noise(random: Random, length: number): number[] {
  return Array.from({ length }, () => random.below(256));
}
