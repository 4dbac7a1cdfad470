/**
 * Nothing that a pod sends places an answer or changes one: replies that nobody asked for, from every address, queries in other
 * pods' names, bytes that look like what lies in the shelf. Afterwards every entry is bit for bit as before but for what is
 * counted, and everybody gets the same answers. Needs root.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ANSWER_SLOT_AT } from '../../src/answermap/answer-abi.gen.ts';
import {
  LARGE_SLOT_BYTES,
  mapShelf,
  type ShelfMemory,
  SMALL_SLOT_BYTES,
} from '../../src/answermap/shelf-memory.ts';
import { toIp } from '../../src/datapath/testing/conformance.ts';
import type { TestPod } from '../../src/datapath/testing/test-network.ts';
import { buildPacket } from '../../src/datapath/testing/test-packet.ts';
import type { Ip } from '../../src/net/ip.ts';
import { type Asked, drawQuery } from '../fuzz/answers/drawn-query.ts';
import { isAlike } from '../fuzz/answers/judge-answer.ts';
import { Random } from '../fuzz/random.ts';
import { u16 } from '../fuzz/wire/packet-builder.ts';
import { AnsweredPods, ASKED as PLAINLY_ASKED, plainQuery, type Reply, VIP } from './answered-pods.ts';

const SEED = Number(process.env.ANSWER_SEED ?? 20_261_123);
const PATIENT_MS = 3000;
/** An answer without a record or a SOA is kept for seconds, and is written anew when it is asked for again. */
const LASTING_SECONDS = 1800;
const TRIES = 10;
/** Of a datagram that fits an Ethernet frame. */
const MOST_PAYLOAD = 1400;
/** From here on are ports that the pods' own sockets do not get. */
const ASKS = 'asks: ';
const QUIET_PORT = 20_000;
const random = new Random(SEED);

/** Without the bits as well: what is forged is of these. */
const ASKED: readonly Asked[] = [
  ...PLAINLY_ASKED,
  ...PLAINLY_ASKED.map(({ name, key }) => ({ name, key: { ...key, dnssecOk: false } })),
];

let pods: AnsweredPods;
let memory: ShelfMemory;
let before: readonly Reply[];

beforeAll(async () => {
  pods = await AnsweredPods.open('poisoned');
  await pods.warmUp();
  for (const pod of [pods.barred, pods.client]) await pods.ask(pod, ASKED.map(plainQuery), PATIENT_MS);
  const { shelf } = pods;
  const [index, small, large] = shelf.fds;
  memory = mapShelf([index, small, large], shelf);
  before = await pods.ask(pods.client, ASKED.map(plainQuery), PATIENT_MS);
  expect(before).not.toContain(undefined);
});
afterAll(async () => {
  memory?.close();
  await pods.close();
});

/**
 * Of those that do not expire meanwhile, by place: what the place says, and all of its slot but what the programs count there.
 */
function entries(): ReadonlyMap<number, string> {
  const found = [...memory.places.entries()].filter(([, place]) => place !== 0n && isLasting(slotOf(place)));
  return new Map(
    found.map(([at, place]) => [at, `${place.toString(16)} ${Buffer.from(slotOf(place)).toString('hex')}`]),
  );
}

function isLasting(slot: Uint8Array): boolean {
  return new DataView(slot.buffer).getUint32(ANSWER_SLOT_AT.ttlSeconds, true) >= LASTING_SECONDS;
}

function slotOf(place: bigint): Uint8Array {
  const [number, isLarge] = [Number(place & 0x7fff_ffffn), ((place >> 31n) & 1n) === 1n];
  const [bytes, size] = isLarge ? [memory.large, LARGE_SLOT_BYTES] : [memory.small, SMALL_SLOT_BYTES];
  const slot = bytes.slice(number * size, (number + 1) * size);
  // Hits, cookies and `used`, one behind the other.
  return slot.fill(0, ANSWER_SLOT_AT.hits, ANSWER_SLOT_AT.used + 4);
}

/** Everything that was there, and, for everybody, the answers of before. */
async function expectUntouched(had: ReadonlyMap<number, string>, mayHaveMore = false): Promise<void> {
  const has = entries();
  if (!mayHaveMore) expect(has.size).toBe(had.size);
  for (const [at, entry] of had) expect(has.get(at), `place ${at}`).toBe(entry);
  for (const pod of [pods.client, pods.barred]) await expectAnswers(pod);
}

async function expectAnswers(pod: TestPod): Promise<void> {
  let left = ASKED.map((asked, i) => ({ asked, wanted: before[i] }));
  for (let tries = 0; left.length > 0; tries++) {
    const replies = await pods.ask(
      pod,
      left.map(({ asked }) => plainQuery(asked)),
      PATIENT_MS,
    );
    left = left.filter(({ asked, wanted }, i) => {
      const reply = replies[i];
      const mayTurn = Buffer.from(asked.name).includes('turn');
      if (reply !== undefined && wanted !== undefined)
        expect(
          isAlike(reply, wanted, { mayTurn, mayAge: true }),
          Buffer.from(asked.name).toString('latin1'),
        ).toBe(true);
      // A busy machine may lose some.
      return reply === undefined && tries < TRIES;
    });
  }
}

const other = (pod: TestPod) => (pod === pods.client ? pods.barred : pods.client);
const everybody = (): readonly Ip[] =>
  [
    pods.client.address,
    pods.barred.address,
    pods.cache.address,
    VIP,
    '172.20.0.1',
    '127.0.0.1',
    '192.0.2.53',
  ].map(toIp);

function datagram(
  source: Ip,
  destination: Ip,
  ports: readonly [number, number],
  payload: Uint8Array,
): Uint8Array {
  return buildPacket({
    protocol: 'UDP',
    source,
    destination,
    sourcePort: ports[0],
    destinationPort: ports[1],
    payload,
  });
}

/** An answer that nobody gave: another address, for a day. */
function forgedReply(asked: Asked): Uint8Array {
  const reply = plainQuery({ ...asked, key: { ...asked.key, dnssecOk: false } });
  reply[2] = 0x85;
  reply[7] = 1;
  const record = [0xc0, 12, ...u16(asked.key.type), 0, 1, 0, 1, 0x51, 0x80, 0, 4, 6, 6, 6, 6];
  return Uint8Array.from([...reply, ...record]);
}

function many<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

const ATTACKS: Readonly<Record<string, (pod: TestPod) => readonly Uint8Array[]>> = {
  "replies that nobody asked for, in anybody's name, to everybody": () =>
    many(800, () => {
      const [source, destination] = [random.pick(everybody()), random.pick(everybody())];
      const ports = [
        random.pick([53, 5353, 40_000]),
        random.pick([53, 1024 + random.below(64_000)]),
      ] as const;
      return datagram(source, destination, ports, forgedReply(random.pick(ASKED)));
    }),
  'replies to all ports that the cache may have': (pod) =>
    many(800, (i) => {
      const source = i % 2 === 0 ? toIp(pod.address) : random.pick(everybody());
      return datagram(
        source,
        toIp(pods.cache.address),
        [53, i % 4 === 0 ? 53 : 32_768 + i * 35],
        forgedReply(random.pick(ASKED)),
      );
    }),
  'asks: queries with answers in them': (pod) =>
    many(400, () => {
      const query = forgedReply(random.pick(ASKED));
      query[2] = random.pick([0x01, 0x05, 0x81, 0x29]);
      return datagram(toIp(pod.address), toIp(VIP), [QUIET_PORT + random.below(1000), 53], query);
    }),
  'asks: what lies in the shelf': (pod) => {
    const places = [...memory.places].filter((word) => word !== 0n);
    return many(400, (i) => {
      const place = random.pick(places);
      const slot = slotOf(place).slice(0, MOST_PAYLOAD);
      const word = new Uint8Array(BigUint64Array.of(place).buffer);
      // As it is, and as a name whose labels it is.
      const labels = [63, ...slot.subarray(128, 191), 8, ...word, 0];
      const name = {
        name: Uint8Array.from(labels),
        key: { type: 1, dnssecOk: false, checkingDisabled: false },
      };
      const bytes = [slot, Uint8Array.from([...word, ...slot.subarray(8)]), plainQuery(name)];
      return datagram(
        toIp(pod.address),
        toIp(i % 2 === 0 ? VIP : pods.cache.address),
        [QUIET_PORT, 53],
        bytes[i % 3] ?? slot,
      );
    });
  },
  'asks: queries of all sorts': (pod) =>
    many(800, () => {
      const { bytes } = drawQuery(random, random.pick(ASKED));
      return datagram(
        toIp(pod.address),
        toIp(VIP),
        [QUIET_PORT + random.below(1000), 53],
        bytes.slice(0, MOST_PAYLOAD),
      );
    }),
};

it.each(Object.keys(ATTACKS))('%s', async (title) => {
  for (const pod of [pods.client, pods.barred]) {
    const had = entries();
    expect(had.size).toBeGreaterThan(ASKED.length / 2);
    pods.sendFrames(pod, ATTACKS[title]?.(pod) ?? []);
    // What a pod asks for is answered, and then is there.
    await expectUntouched(had, title.startsWith(ASKS));
  }
});

it("a query in another's name is answered to nobody", async () => {
  for (const pod of [pods.client, pods.barred]) {
    const had = entries();
    const counted = pods.datapath.counters();
    const victims = everybody().filter((address) => address !== toIp(pod.address));
    const frames = many(400, () =>
      datagram(random.pick(victims), toIp(VIP), [QUIET_PORT, 53], plainQuery(random.pick(ASKED))),
    );
    pods.sendFrames(pod, frames);
    const now = pods.datapath.counters();
    expect(now.answered).toBe(counted.answered);
    expect(now.spoofed).toBe((counted.spoofed ?? 0n) + BigInt(frames.length));
    await expectUntouched(had);
  }
});

it('whoever may not be answered gets nothing of it by asking otherwise', async () => {
  const counted = pods.datapath.counters().answered;
  const ends = [toIp(pods.barred.address), toIp(VIP)] as const;
  pods.sendFrames(
    pods.barred,
    many(400, () => datagram(...ends, [QUIET_PORT, 53], drawQuery(random, random.pick(ASKED)).bytes)),
  );
  expect(pods.datapath.counters().answered).toBe(counted);
  await expectAnswers(other(pods.barred));
});
