/**
 * Addresses that begin at any of them, under names of any length: each order comes, about as often as any other, and with both
 * checksums right. Where records have an odd length, the program has to reckon what their move changes. Needs root.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestRecord } from '../testing/answer-oracle.ts';
import { A, AnswerRig, addressAnswer, cookie, dnsQuery } from '../testing/answer-rig.ts';
import { FAMILIES, type Family, IPV4 } from '../testing/program-rig.ts';
import { readPacket } from '../testing/test-packet.ts';
import { wireName } from '../testing/test-shelf.ts';

const CNAME = 5;
const AAAA = 28;
const MX = 15;
/** Records begin at an odd byte of the message, and at an even one. */
const NAMES = [
  ['www', 'example', 'org'],
  ['ww', 'example', 'org'],
];
/** The root's: each record then has an odd length. */
const ODD_OWNER = Uint8Array.of(0);
const EDNS = [{}, { opt: {} }, { opt: { options: [cookie(8)] } }, { opt: { options: [cookie(23)] } }];
const LARGE = { udpSize: 4096 };
/** Of sixteen orders by chance, one is not seen after so many queries with a probability of 10^-12. */
const MOST_QUERIES = 500;
let rig: AnswerRig;

beforeAll(async () => {
  rig = await AnswerRig.open('turns');
});

afterAll(() => rig.close());

beforeEach(() => rig.reset());

/** No two bytes of a word alike, so that a sum that was not swapped is another one. */
function addresses(count: number, type: number, owner?: Uint8Array): readonly TestRecord[] {
  const bytes = type === AAAA ? 16 : 4;
  return Array.from({ length: count }, (_, i) => ({
    ...(owner && { owner }),
    type,
    data: Uint8Array.from({ length: bytes }, (_, at) => (i * 59 + at * 101 + (at & 1) * 0x3d) & 0xff),
  }));
}

/** Asks until each order was seen; every reply is held against the oracle, checksums included. */
function expectAllOrders(query: Uint8Array, family: Family, count: number): void {
  const seen = new Set<string>();
  for (let i = 0; i < MOST_QUERIES && seen.size < count; i++)
    seen.add(Buffer.from(rig.expectAnswered(query, family).payload).toString('hex'));
  expect(seen.size).toBe(count);
}

describe.each(FAMILIES)('over $name', ({ family }) => {
  describe.each([
    { what: 'A', type: A },
    { what: 'AAAA', type: AAAA },
  ])('$what', ({ type }) => {
    test.each(Array.from({ length: 15 }, (_, i) => ({ count: i + 2 })))(
      'of $count addresses every one comes first at times',
      ({ count }) => {
        for (const labels of NAMES) {
          rig.put(
            addressAnswer(labels, { type, rotate: true, answers: addresses(count, type, ODD_OWNER) }),
            77,
          );
          expectAllOrders(dnsQuery({ labels, type, opt: LARGE }), family, count);
        }
      },
    );

    test('one address has no order', () => {
      for (const labels of NAMES) {
        rig.put(addressAnswer(labels, { type, rotate: true, answers: addresses(1, type, wireName(labels)) }));
        rig.expectAnswered(dnsQuery({ labels, type }), family);
      }
    });

    test('under names as they are laid out, with and without EDNS, aged or kept', () => {
      for (const labels of NAMES) {
        for (const keepTtl of [false, true]) {
          rig.reset();
          const answers = addresses(5, type, wireName(labels));
          rig.put(addressAnswer(labels, { type, rotate: true, keepTtl, answers, ttlSeconds: 9000 }), 4321);
          for (const edns of EDNS) expectAllOrders(dnsQuery({ labels, type, ...edns }), family, 5);
        }
      }
    });

    test.each([3, 4])('%i of them behind CNAME records of odd and even length', (count) => {
      for (const labels of NAMES) {
        for (const lengths of [[6], [7], [6, 7], [7, 9]]) {
          rig.reset();
          const chain = lengths.map((length) => ({ type: CNAME, data: new Uint8Array(length).fill(length) }));
          const answers = [...chain, ...addresses(count, type, ODD_OWNER)];
          const behind = { additionals: [{ type: 16, data: new Uint8Array(9).fill(3) }] };
          rig.put(addressAnswer(labels, { type, rotate: true, answers, ...behind }), 12);
          for (const edns of EDNS) expectAllOrders(dnsQuery({ labels, type, ...edns }), family, count);
        }
      }
    });

    test('a reply has no checksum where the query had none', () => {
      rig.put(addressAnswer(['a'], { type, rotate: true, answers: addresses(4, type, ODD_OWNER) }));
      const over = { noChecksum: family === IPV4 };
      for (let i = 0; i < 30; i++) rig.expectAnswered(dnsQuery({ labels: ['a'], type }), family, over);
    });

    test('addresses of which nothing but the sum is odd: all zeros, all ones', () => {
      for (const byte of [0, 0xff]) {
        rig.reset();
        const data = new Uint8Array(type === AAAA ? 16 : 4).fill(byte);
        const answers = addresses(5, type, ODD_OWNER).map((each, i) => (i === 2 ? each : { ...each, data }));
        rig.put(addressAnswer(['a'], { type, rotate: true, answers }));
        expectAllOrders(dnsQuery({ labels: ['a'], type }), family, 5);
      }
    });
  });
});

test('each of the addresses comes first about as often as any other', () => {
  const [labels, count, queries] = [['ab'], 5, 4000];
  rig.put(addressAnswer(labels, { rotate: true, answers: addresses(count, A, ODD_OWNER) }));
  const firsts = new Map<string, number>();
  for (let i = 0; i < queries; i++) {
    const { payload } = readPacket(rig.run(rig.rig.query(IPV4, { payload: dnsQuery({ labels }) })).packet);
    const at = dnsQuery({ labels }).length + 11;
    const first = payload.slice(at, at + 4).join('.');
    firsts.set(first, (firsts.get(first) ?? 0) + 1);
  }
  // 800 each; seven standard deviations of 25.
  expect([...firsts.values()].filter((times) => Math.abs(times - 800) < 178)).toHaveLength(count);
});

describe('records whose data the program does not know stay as they are', () => {
  const ordered = (labels: readonly string[], type: number) => {
    for (let i = 0; i < 20; i++) {
      const payload = dnsQuery({ labels, type });
      const reply = readPacket(rig.run(rig.rig.query(IPV4, { payload })).packet);
      expect([reply.intact, reply.source]).toEqual([true, IPV4.vip]);
      expect(reply.payload.slice(-4)).toEqual(addresses(4, A)[3]?.data);
    }
  };

  test.each([
    { what: 'mail servers', type: MX },
    { what: 'all types', type: 255 },
  ])('addresses of odd length in an answer for $what', ({ type }) => {
    rig.put(addressAnswer(['a'], { type, rotate: true, answers: addresses(4, A, ODD_OWNER) }));
    // The oracle gives them in any order; this is the one they were stored in.
    ordered(['a'], type);
  });

  test('more of them than an answer has', () => {
    const answers = addresses(4, A, ODD_OWNER);
    const over = { runStart: 0, runStride: 1, runCount: 17 };
    rig.shelf.put(addressAnswer(['a'], { rotate: true, answers }), 0, over);
    ordered(['a'], A);
  });
});
