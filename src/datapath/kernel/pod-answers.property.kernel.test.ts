/**
 * Whatever bytes a pod sends, the packet program either gives the reply that the oracle expects, checksums included, or does what
 * it does without answers. Random queries beside stored names, and random damage to them. Needs root.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordBytes, runStart, type TestAnswer, type TestRecord } from '../testing/answer-oracle.ts';
import {
  AnswerRig,
  addressAnswer,
  dnsQuery,
  type OptShape,
  OTHER_VIEW,
  type QueryShape,
  VIEW,
} from '../testing/answer-rig.ts';
import { IPV4, IPV6 } from '../testing/program-rig.ts';
import { buildPacket, readPacket } from '../testing/test-packet.ts';

const RUNS = 3000;
/** The kernel matrix chooses its own. */
const SEED = fc.readConfigureGlobal()?.seed ?? 6;
const CNAME = 5;
const AAAA = 28;
const TYPES = [1, 2, 5, 6, 16, 28, 33, 43, 64, 255];
let rig: AnswerRig;
let stored: readonly TestAnswer[];

const letter = fc.constantFrom(...'abcxyz09-_AZ@[`{\u0000\u00e9\u0001\u007f');
const label = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: letter, minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: letter, minLength: 50, maxLength: 63 }) },
);
const name = fc
  .array(label, { maxLength: 5 })
  .filter((labels) => labels.reduce((sum, { length }) => sum + length + 1, 1) <= 255);
const cleanName = name.filter((labels) => !labels.some((text) => text.includes('\u0000')));

const owner = fc.constantFrom(Uint8Array.of(0), Uint8Array.of(0xc0, 12), Uint8Array.of(2, 97, 98, 0xc0, 12));
const record: fc.Arbitrary<TestRecord> = fc.record(
  {
    type: fc.constantFrom(...TYPES),
    data: fc.uint8Array({ maxLength: 60 }),
    owner,
  },
  { requiredKeys: ['type', 'data'] },
);
const records = (maxLength: number) => fc.array(record, { maxLength });
const cname = fc
  .uint8Array({ minLength: 1, maxLength: 9 })
  .map((data): TestRecord => ({ type: CNAME, data }));
/** Of A or AAAA, perhaps behind CNAME records. */
const run: fc.Arbitrary<TestRecord[]> = fc
  .record({
    chain: fc.array(cname, { maxLength: 2 }),
    type: fc.constantFrom(1, AAAA),
    owner,
    count: fc.integer({ min: 2, max: 14 }),
    bytes: fc.uint8Array({ minLength: 256, maxLength: 256 }),
  })
  .map(({ chain, type, owner, count, bytes }) => {
    const size = type === AAAA ? 16 : 4;
    const data = (i: number) => bytes.slice(i * size, (i + 1) * size);
    return [...chain, ...Array.from({ length: count }, (_, i) => ({ owner, type, data: data(i) }))];
  });
const flags = {
  dnssecOk: fc.boolean(),
  checkingDisabled: fc.boolean(),
  rcode: fc.constantFrom(0, 0, 3),
  recursionAvailable: fc.boolean(),
  authenticData: fc.boolean(),
  keepTtl: fc.boolean(),
};
const answer: fc.Arbitrary<TestAnswer> = fc
  .record({
    labels: cleanName,
    type: fc.constantFrom(...TYPES),
    asksForLast: fc.boolean(),
    view: fc.constantFrom(VIEW, VIEW, VIEW, OTHER_VIEW),
    ...flags,
    sections: fc.tuple(fc.oneof(records(6), run), records(3), records(3)),
    rotate: fc.boolean(),
    ttlSeconds: fc.constantFrom(1000, 3600, 86_400, 0x7fff_ffff),
    limitBytes: fc.constantFrom(0, 0, 1232),
  })
  .map(({ sections: [answers, authorities, additionals], limitBytes, rotate, asksForLast, ...rest }) => {
    const last = answers[answers.length - 1];
    const each = { ...rest, answers, authorities, additionals };
    // Most queries for a run are for its own type: only then may its records be of odd length.
    const asked = { ...each, type: asksForLast && last !== undefined ? last.type : rest.type };
    return {
      ...asked,
      // Only what is alike but for its data is ever laid out so.
      ...(rotate && mayRotate(asked) ? { rotate } : {}),
      ...(limitBytes === 0 ? {} : { limitBytes }),
    };
  })
  .filter(isStorable);

function mayRotate(answer: TestAnswer): boolean {
  const [first, ...others] = answer.answers.slice(runStart(answer));
  if (first === undefined || others.length === 0) return false;
  const { owner, type, data } = first;
  const isAddress =
    type === answer.type &&
    data.length ===
      new Map([
        [1, 4],
        [AAAA, 16],
      ]).get(type);
  const isAlike = others.every(
    (each) => each.owner === owner && each.type === type && each.data.length === data.length,
  );
  return isAlike && (isAddress || recordBytes(first, 0).length % 2 === 0);
}

/** Room for its records, and no other of its kind: the oracle takes the first it finds. */
function isStorable({ answers, authorities = [], additionals = [] }: TestAnswer): boolean {
  const all = [...answers, ...authorities, ...additionals];
  return (
    all.length <= 16 &&
    all.reduce((sum, { data, owner }) => sum + data.length + (owner?.length ?? 2) + 10, 0) <= 1024
  );
}

beforeAll(async () => {
  rig = await AnswerRig.open('answer-fuzz');
  rig.reset();
  const seen = new Set<string>();
  const drawn = fc.sample(answer, { numRuns: 100, seed: 20_261_123 });
  stored = [...drawn, addressAnswer(['www', 'example', 'org'])].filter((each) => {
    const key = [
      each.labels.join('.').toLowerCase(),
      each.type,
      each.view,
      each.dnssecOk,
      each.checkingDisabled,
    ].join(' ');
    return !seen.has(key) && seen.add(key) !== undefined;
  });
  for (const [i, each] of stored.entries()) rig.put(each, (i * 37) % 999);
});

afterAll(() => rig.close());

const opt: fc.Arbitrary<OptShape> = fc.record({
  udpSize: fc.constantFrom(0, 511, 512, 1231, 1232, 1233, 4096, 65_535),
  dnssecOk: fc.boolean(),
  version: fc.constantFrom(0, 0, 0, 0, 0, 0, 1),
  extendedRcode: fc.constantFrom(0, 0, 255),
  flags: fc.constantFrom(0, 0, 0x7fff, 0x4001),
  options: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    {
      weight: 2,
      arbitrary: fc.array(
        fc.record({
          code: fc.constantFrom(10, 10, 10, 10, 3, 8, 12),
          data: fc.uint8Array({ maxLength: 42 }),
        }),
        { maxLength: 2 },
      ),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(fc.constantFrom(8, 16, 17, 24, 39, 40), fc.uint8Array({ minLength: 40, maxLength: 40 }))
        .map(([length, bytes]) => [{ code: 10, data: bytes.slice(0, length) }]),
    },
  ),
});

const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

/** Mostly of a stored name, with its bits; in any letter case. */
const query: fc.Arbitrary<Uint8Array> = fc
  .record({
    of: fc.nat(),
    other: seldom(name),
    upper: fc.array(fc.boolean(), { minLength: 16, maxLength: 16 }),
    id: fc.integer({ min: 0, max: 65_535 }),
    flags: fc.constantFrom(0, 0x0100, 0x0120, 0x0110, 0x0130, 0x06cf, 0x07ff, 0x8100, 0x2800),
    type: seldom(fc.constantFrom(...TYPES)),
    edns: fc.option(opt, { freq: 3 }),
    class: fc.constantFrom(...Array.from({ length: 20 }, () => 1), 3, 255, 0x0101),
    sameBits: fc.constantFrom(true, true, true, false),
  })
  .map(({ of, other, upper, edns, sameBits, type, ...rest }) => {
    const entry = stored[of % stored.length];
    const labels = (other ?? entry?.labels ?? []).map((text) =>
      text.replace(/[a-z]/g, (each, at) => (upper[at % 16] === true ? each.toUpperCase() : each)),
    );
    const bits = sameBits && entry?.checkingDisabled === true ? 0x10 : 0;
    const isWanted = sameBits && entry?.dnssecOk === true;
    const withOpt = isWanted
      ? { ...edns, dnssecOk: true }
      : edns === null
        ? null
        : { ...edns, dnssecOk: !sameBits && edns.dnssecOk };
    const shape: QueryShape = {
      ...rest,
      labels,
      type: type ?? entry?.type ?? 1,
      flags: sameBits ? (rest.flags & ~0x10) | bits : rest.flags,
      ...(withOpt === null ? {} : { opt: withOpt as OptShape }),
    };
    return dnsQuery(shape);
  });

const damage = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('zero' as const), at: fc.nat(), by: fc.constant(0) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), by: fc.constant(0) }),
  fc.record({
    kind: fc.constant('pad' as const),
    at: fc.nat({ max: 40 }),
    by: fc.integer({ min: 0, max: 255 }),
  }),
);

function damaged(
  bytes: Uint8Array,
  { kind, at, by }: { kind: 'flip' | 'zero' | 'cut' | 'pad'; at: number; by: number },
): Uint8Array {
  if (kind === 'cut') return bytes.slice(0, at % (bytes.length + 1));
  if (kind === 'pad') return Uint8Array.from([...bytes, ...new Uint8Array(at + 1).fill(by)]);
  const changed = Uint8Array.from(bytes);
  const place = at % Math.max(1, bytes.length);
  if (bytes.length > 0) changed[place] = kind === 'zero' ? 0 : (changed[place] ?? 0) ^ by;
  return changed;
}

const family = fc.constantFrom(IPV4, IPV6);

test('any query gets the reply that is expected, or goes on as it came', () => {
  const answered = rig.programs.counters().answered;
  fc.assert(
    fc.property(query, family, (payload, each) => {
      rig.ask(payload, each);
    }),
    { numRuns: RUNS, seed: SEED + 0 },
  );
  // Else it has proved nothing.
  expect(Number(rig.programs.counters().answered - answered)).toBeGreaterThan(RUNS / 5);
});

test('any damaged query gets the reply that is expected of what it then is, or goes on as it came', () => {
  fc.assert(
    fc.property(query, fc.array(damage, { minLength: 1, maxLength: 3 }), family, (payload, damages, each) => {
      rig.ask(damages.reduce(damaged, payload), each);
    }),
    { numRuns: RUNS, seed: SEED + 1 },
  );
});

test('any bytes at all go on as they came', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), family, (payload, each) => {
      rig.ask(payload, each);
    }),
    { numRuns: RUNS / 4, seed: SEED + 2 },
  );
});

test('a packet with a damaged header is never answered with anything that its sender did not ask', () => {
  fc.assert(
    fc.property(query, fc.nat({ max: 41 }), fc.integer({ min: 1, max: 255 }), (payload, at, by) => {
      const asked = rig.rig.query(IPV4, { payload });
      const packet = buildPacket(asked);
      packet[at] = (packet[at] ?? 0) ^ by;
      const { packet: out } = rig.run(packet);
      // Another ethertype or IP version: nothing that the program reads.
      if (at >= 12 && at <= 14) return;
      const reply = readPacket(out);
      if (reply.source !== IPV4.vip) return;
      // Still a query to us: stations, the service class, the id, the TTL, the header's own checksum or the UDP checksum.
      const hex = rig.expected(payload, 4).map((bytes) => Buffer.from(bytes).toString('hex'));
      expect(hex).toContain(Buffer.from(reply.payload).toString('hex'));
      expect(reply.destination).toBe(IPV4.client);
      expect(reply.intact).toBe(at < 40 && at !== 34 && at !== 35);
    }),
    { numRuns: RUNS / 4, seed: SEED + 3 },
  );
});
