/**
 * What the upstream says: true answers, true ones with damage behind their question, and forgeries that differ from what
 * was asked in ID or question and carry `FORGED`. What it says to a question depends on the question alone.
 */

import { Random } from './random.ts';
import { FORGED } from './wire/judge-reply.ts';
import { type BuiltRecord, nameBytes, recordBytes, u16 } from './wire/packet-builder.ts';

export interface AskedUpstream {
  readonly id: number;
  /** Uncompressed wire bytes of the name. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly class: number;
  readonly hasOpt: boolean;
  /** Opcode and RD, where they stand in the header. */
  readonly bits: number;
  readonly transport: 'udp' | 'tcp';
}

/** Messages in the order they are sent; `elsewhere` comes from another port. */
export interface Said {
  readonly messages: readonly Uint8Array[];
  readonly elsewhere: readonly Uint8Array[];
}

const NOERROR = 0;
const NXDOMAIN = 3;
const POINTER_TO_NAME = [0xc0, 12];
const SOA: BuiltRecord = {
  owner: 'up.test',
  type: 6,
  ttl: 300,
  data: [...nameBytes('ns.up.test'), ...nameBytes('root.up.test'), ...Array(20).fill(1)],
};
/** Names of `corpus.ts` that are answered truly: the cache is filled with them. */
const RELIABLE: ReadonlySet<string> = new Set([
  'a',
  'b',
  'none',
  'nodata',
  'alias',
  'large',
  'mixed',
  'missing',
  'cut',
  'web',
  'db',
  'very-long-service-name',
]);

export function upstreamAnswer(asked: AskedUpstream): Said {
  const label = firstLabel(asked.name).toLowerCase();
  const random = new Random(hash(asked));
  const truth = trueAnswer(asked, label);
  if (RELIABLE.has(label)) return { messages: [truth], elsewhere: [] };
  const elsewhere = random.below(8) === 0 ? [forgery(asked, truth, random)] : [];
  switch (random.below(8)) {
    case 0:
    case 1:
      return { messages: [truth], elsewhere };
    case 2:
    case 3:
      return { messages: [damaged(truth, asked, random), truth], elsewhere };
    case 4:
      return { messages: [damaged(truth, asked, random)], elsewhere };
    case 5:
      return { messages: [forgery(asked, truth, random), truth], elsewhere };
    case 6:
      return {
        messages: [forgery(asked, truth, random), noise(random), forgery(asked, truth, random), truth],
        elsewhere,
      };
    default:
      return { messages: [truth.subarray(0, random.below(truth.length)), truth, truth], elsewhere };
  }
}

function trueAnswer(asked: AskedUpstream, label: string): Uint8Array {
  if (label === 'none' || label === 'missing') return message(asked, { rcode: NXDOMAIN, authorities: [SOA] });
  if (label === 'nodata') return message(asked, { authorities: [SOA] });
  if (label === 'cut' && asked.transport === 'udp') return message(asked, { bits: 0x0200 });
  const count = label === 'large' ? 40 : 3;
  const target = nameBytes('target.up.test');
  if (label === 'alias') {
    const alias = { owner: POINTER_TO_NAME, type: 5, ttl: 300, data: target };
    return message(asked, { answers: [alias, ...addresses(asked, 2, 'target.up.test')] });
  }
  return message(asked, { answers: addresses(asked, count, POINTER_TO_NAME) });
}

function addresses(asked: AskedUpstream, count: number, owner: BuiltRecord['owner']): readonly BuiltRecord[] {
  const { type } = asked;
  return Array.from({ length: count }, (_, i) => ({ owner, type, ttl: 300, data: dataOf(type, i) }));
}

function dataOf(type: number, i: number): readonly number[] {
  if (type === 1) return [192, 0, 2, i];
  if (type === 28) return [0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), i];
  if (type === 15) return [0, i, ...nameBytes('mx.up.test')];
  if (type === 33) return [0, 0, 0, i, 0, 80, ...nameBytes('srv.up.test')];
  if (type === 6) return SOA.data;
  if (type === 2 || type === 5 || type === 12 || type === 39) return nameBytes(`n${i}.up.test`);
  return [4, 0x74, 0x65, 0x78, 0x74];
}

interface Content {
  readonly rcode?: number;
  readonly bits?: number;
  readonly answers?: readonly BuiltRecord[];
  readonly authorities?: readonly BuiltRecord[];
  readonly additionals?: readonly BuiltRecord[];
}

function message(asked: AskedUpstream, content: Content): Uint8Array {
  const { rcode = NOERROR, bits = 0, answers = [], authorities = [], additionals = [] } = content;
  const opt = asked.hasOpt ? [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0] : [];
  const counts = [1, answers.length, authorities.length, additionals.length + (asked.hasOpt ? 1 : 0)];
  const records = [...answers, ...authorities, ...additionals].flatMap(recordBytes);
  return Uint8Array.from([
    ...u16(asked.id),
    ...u16(0x8080 | asked.bits | bits | rcode),
    ...counts.flatMap(u16),
    ...asked.name,
    ...u16(asked.type),
    ...u16(asked.class),
    ...records,
    ...opt,
  ]);
}

/** Anything may be wrong behind the ID: with the question as well, but then nothing of it is to be believed anyway. */
function damaged(truth: Uint8Array, asked: AskedUpstream, random: Random): Uint8Array {
  const copy = truth.slice(0, random.below(4) === 0 ? random.below(truth.length) : truth.length);
  const behindQuestion = 12 + asked.name.length + 4;
  const from = random.below(3) === 0 ? 2 : behindQuestion;
  if (copy.length <= from) return copy;
  for (let times = 1 + random.below(6); times > 0; times--) {
    copy[from + random.below(copy.length - from)] = random.below(2) === 0 ? 0xc0 : random.next();
  }
  return copy;
}

/** Well-formed, and to another question, or under another ID, or no reply at all. */
function forgery(asked: AskedUpstream, truth: Uint8Array, random: Random): Uint8Array {
  const text = { owner: POINTER_TO_NAME, type: asked.type, ttl: 300, data: [FORGED.length, ...FORGED] };
  const glue = { owner: 'glue.up.test', type: 16, ttl: 300, data: text.data };
  const forged = message(asked, {
    answers: [...addresses(asked, 1, POINTER_TO_NAME), text],
    additionals: [glue],
  });
  const typeAt = 12 + asked.name.length;
  const kind = random.below(4);
  if (kind === 0) forged[random.below(2)] = (truth[0] ?? 0) ^ 0x55 ^ (1 + random.below(64));
  else if (kind === 1) forged[typeAt + 1] = (forged[typeAt + 1] ?? 0) ^ 1;
  else if (kind === 2) forged[typeAt + 3] = (forged[typeAt + 3] ?? 0) ^ 2;
  else forged[2] = (forged[2] ?? 0) & 0x7f;
  if (kind === 0 && forged[0] === truth[0] && forged[1] === truth[1]) forged[1] = (truth[1] ?? 0) ^ 1;
  return forged;
}

function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: random.below(80) }, () => random.next());
}

function firstLabel(name: Uint8Array): string {
  return Buffer.from(name.subarray(1, 1 + (name[0] ?? 0))).toString('latin1');
}

/** FNV-1a over the name in lower case and the type. */
function hash({ name, type }: AskedUpstream): number {
  let sum = 0x811c_9dc5 ^ type;
  for (const byte of name) {
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    sum = Math.imul(sum ^ folded, 0x0100_0193);
  }
  return sum >>> 0;
}
