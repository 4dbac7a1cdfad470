/** What a stored answer says of itself, and what the packet program makes of it and counts in it. Needs root. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ipMappedBytes } from '../../net/ip.ts';
import { A, AnswerRig, addressAnswer, cookie, dnsQuery, VIEW } from '../testing/answer-rig.ts';
import { FAMILIES, IPV4, IPV6 } from '../testing/program-rig.ts';
import { readPacket } from '../testing/test-packet.ts';
import { REDIRECTED } from '../testing/test-programs.ts';

const NAME = ['www', 'example', 'org'];
const ODD = ['ww', 'example', 'org'];
const QUERY = dnsQuery({ labels: NAME });
const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ type: A, data: Uint8Array.of(10, 0, 0, i) }));
let rig: AnswerRig;

beforeAll(async () => {
  rig = await AnswerRig.open('slots');
});

afterAll(() => rig.close());

beforeEach(() => rig.reset());

describe.each(FAMILIES)('over $name', ({ family }) => {
  test.each([
    { ttl: 1, age: 0 },
    { ttl: 2, age: 1 },
    { ttl: 300, age: 299 },
    { ttl: 86_400, age: 65_535 },
    { ttl: 86_400, age: 65_536 },
    { ttl: 0x7fff_ffff, age: 100_000 },
  ])('a TTL of $ttl s has lost what it is old: $age s', ({ ttl, age }) => {
    for (const labels of [NAME, ODD]) {
      rig.put(addressAnswer(labels, { ttlSeconds: ttl, answers: addresses(3) }), age);
      const reply = rig.expectAnswered(dnsQuery({ labels }), family);
      const at = reply.payload.length - 10;
      expect(new DataView(reply.payload.buffer).getUint32(at + 0)).toBe(ttl - age);
    }
  });

  test('TTLs at odd and even places of the reply leave its checksum right', () => {
    const owners = [0, 1, 2, 3, 4, 5].map((length) =>
      Uint8Array.of(length + 1, ...new Uint8Array(length + 1).fill(97), 0),
    );
    for (const labels of [NAME, ODD]) {
      const answers = owners.map((owner, i) => ({ owner, type: 16, data: new Uint8Array(i + 3).fill(i) }));
      rig.put(addressAnswer(labels, { answers, ttlSeconds: 5000 }), 4321);
      for (const opt of [undefined, {}, { options: [cookie(21)] }])
        rig.expectAnswered(dnsQuery({ labels, ...(opt && { opt }) }), family);
    }
  });

  test('TTLs that are kept stay as they were stored', () => {
    rig.put(addressAnswer(NAME, { keepTtl: true, answers: addresses(2) }), 200);
    rig.expectAnswered(QUERY, family);
  });

  test.each([
    { name: 'its TTL is over', over: { ttlSeconds: 60 }, age: 60 },
    { name: 'its TTL is over though it is kept', over: { ttlSeconds: 60, keepTtl: true }, age: 61 },
    { name: 'it is due to be fetched again', over: { ttlSeconds: 60, untilSeconds: 54 }, age: 54 },
    { name: 'its TTL is zero', over: { ttlSeconds: 0, untilSeconds: 30 }, age: 0 },
    {
      name: 'its TTL is over though it says it is good for longer',
      over: { ttlSeconds: 9, untilSeconds: 30 },
      age: 9,
    },
  ])('nothing is answered when $name', ({ over, age }) => {
    rig.put(addressAnswer(NAME, over), age);
    rig.expectMissed(rig.rig.query(family, { payload: QUERY }));
  });

  test('an answer that was stored a moment after the query came has no age', () => {
    const answer = addressAnswer(NAME);
    rig.shelf.put(answer, -2);
    const reply = readPacket(rig.run(rig.rig.query(family, { payload: QUERY })).packet);
    expect(new DataView(reply.payload.buffer).getUint32(reply.payload.length - 10)).toBe(300);
  });

  test.each([
    { name: '512 bytes to a client without EDNS', bytes: 512, opt: undefined, more: 1 },
    { name: '512 bytes to a client that says less', bytes: 512, opt: { udpSize: 100 }, more: 1 },
    { name: 'as much as the client takes', bytes: 1000, opt: { udpSize: 1000 }, more: 1 },
    {
      name: 'as much as the client takes, its cookie included',
      bytes: 1000,
      opt: { udpSize: 1000, options: [cookie(24)] },
      more: 1,
    },
  ])('a reply has at most $name', ({ bytes, opt, more }) => {
    const query = dnsQuery({ labels: NAME, ...(opt && { opt }) });
    const room = bytes - query.length - 12;
    rig.put(addressAnswer(NAME, { answers: [{ type: 16, data: new Uint8Array(room) }] }));
    expect(rig.expectAnswered(query, family).payload.length).toBe(bytes);
    rig.shelf.clear();
    rig.reset();
    rig.put(addressAnswer(NAME, { answers: [{ type: 16, data: new Uint8Array(room + more) }] }));
    rig.expectMissed(rig.rig.query(family, { payload: query }));
  });

  test('a reply is never so large that user space would compress it', () => {
    const labels = ['a'.repeat(63), 'b'.repeat(63), 'c'.repeat(63), 'd'.repeat(61)];
    rig.put(addressAnswer(labels, { answers: [{ type: 16, data: new Uint8Array(1000) }] }));
    const query = dnsQuery({ labels, opt: { udpSize: 4096 } });
    // 12 + 255 + 4 + 1012 + 11 bytes: too many for IPv6 alone.
    expect(rig.expected(query, 4).length).toBe(1);
    expect(rig.expected(query, 6)).toEqual([]);
    rig.ask(query, family);
  });

  test.each([
    { udpSize: 1232, answered: true },
    { udpSize: 1233, answered: false },
  ])('a client that takes $udpSize bytes of a server that gives 1232', ({ udpSize, answered }) => {
    rig.put(addressAnswer(NAME, { limitBytes: 1232 }));
    const query = dnsQuery({ labels: NAME, opt: { udpSize } });
    expect(rig.expected(query, 4).length > 0).toBe(answered);
    rig.ask(query, family);
    rig.expectAnswered(dnsQuery({ labels: NAME }), family);
  });

  test('records begin at any of them where that is allowed, all others in turn, and with the checksum right', () => {
    const seen = new Set<string>();
    for (const labels of [NAME, ODD])
      rig.put(addressAnswer(labels, { rotate: true, answers: addresses(4) }), 5);
    for (let i = 0; i < 200; i++) {
      const labels = i % 2 === 0 ? NAME : ODD;
      const { payload } = rig.expectAnswered(
        dnsQuery({ labels, ...(i % 3 === 0 ? { opt: {} } : {}) }),
        family,
      );
      seen.add(`${i % 2} ${payload[dnsQuery({ labels }).length + 15]}`);
    }
    expect(seen.size).toBe(8);
  });

  test('one record alone does not rotate', () => {
    rig.put(addressAnswer(NAME, { rotate: true }));
    rig.expectAnswered(QUERY, family);
  });

  test('a run that is longer than the records is none', () => {
    rig.shelf.put(addressAnswer(NAME, { rotate: true, answers: addresses(2) }), 0, { runCount: 3 });
    const reply = readPacket(rig.run(rig.rig.query(family, { payload: QUERY })).packet);
    expect([reply.intact, reply.payload[reply.payload.length - 1]]).toEqual([true, 1]);
  });
});

describe('a slot', () => {
  test('counts answers by family and by what the query had of EDNS, and that it was of use', () => {
    const laid = rig.put(addressAnswer(NAME));
    const asks = [{}, { opt: {} }, { opt: { options: [cookie(8)] } }];
    expect(rig.shelf.read(laid)).toMatchObject({ hits: [0, 0, 0, 0, 0, 0], cookieBytes: 0, used: 0 });
    for (const [i, opt] of asks.entries()) {
      for (let n = 0; n <= i; n++) rig.expectAnswered(dnsQuery({ labels: NAME, ...opt }), IPV4);
      for (let n = 0; n <= i + 3; n++) rig.expectAnswered(dnsQuery({ labels: NAME, ...opt }), IPV6);
    }
    // An option is its code, its length and its data.
    expect(rig.shelf.read(laid)).toMatchObject({ hits: [1, 2, 3, 4, 5, 6], cookieBytes: 9 * 12, used: 1 });
  });

  test('is not used, and counts nothing, when it answers nothing', () => {
    const laid = rig.put(addressAnswer(NAME, { ttlSeconds: 9 }), 10);
    rig.run(rig.rig.query(IPV4, { payload: QUERY }));
    expect(rig.shelf.read(laid)).toMatchObject({ hits: [0, 0, 0, 0, 0, 0], used: 0 });
  });

  test.each([
    { name: 'another generation than its place', over: { generation: 2 } },
    { name: 'no generation', over: { generation: 0 } },
    { name: 'another type', over: { type: 28 } },
    { name: 'another view', over: { view: VIEW + 1 } },
    { name: 'other bits', over: { keyBits: 1 } },
    { name: 'a shorter name', over: { nameLength: 16 } },
    { name: 'more records than the program can age', over: { ttlCount: 17 } },
    { name: 'more TTLs at even places than it has', over: { ttlEven: 2 } },
    { name: 'a longer tail than it has room for', over: { tailLength: 257 } },
  ])('that has $name is not given', ({ over }) => {
    rig.shelf.put(addressAnswer(NAME), 0, over);
    rig.expectMissed(rig.rig.query(IPV4, { payload: QUERY }));
  });

  test('is not found by a place of generation 0', () => {
    rig.shelf.put(addressAnswer(NAME), 0, { generation: 0 }, 0);
    rig.expectMissed(rig.rig.query(IPV4, { payload: QUERY }));
  });

  test('is found behind seven others of its set and tag', () => {
    for (let i = 0; i < 7; i++) rig.shelf.put(addressAnswer(NAME), 0, { nameLength: 5 + i });
    rig.put(addressAnswer(NAME));
    rig.expectAnswered(QUERY);
  });
});

describe('the log', () => {
  test('has the query and the reply as they were, from whom and when', () => {
    rig.put(addressAnswer(NAME, { logged: true, rotate: true, answers: addresses(5) }), 9);
    for (const { family } of FAMILIES) {
      const payload = dnsQuery({ labels: ['WWW', 'Example', 'org'], opt: { options: [cookie(8)] } });
      const asked = rig.rig.query(family, { payload });
      const before = process.hrtime.bigint();
      const reply = readPacket(rig.run(asked).packet);
      const [record, ...others] = rig.shelf.logged();
      expect(others).toEqual([]);
      expect(record).toMatchObject({
        source: ipMappedBytes(asked.source),
        destination: ipMappedBytes(asked.destination),
        sourcePort: asked.sourcePort,
        destinationPort: 53,
        view: VIEW,
        query: payload,
        reply: reply.payload,
      });
      expect(record?.timeNs).toBeGreaterThan(before);
      expect(record?.timeNs).toBeLessThan(process.hrtime.bigint());
    }
  });

  test('gets nothing of answers that are not to be logged', () => {
    rig.put(addressAnswer(NAME));
    rig.expectAnswered(QUERY);
    expect(rig.shelf.logged()).toEqual([]);
  });

  test('that nobody reads is filled to three quarters; from then on the server answers', () => {
    rig.put(addressAnswer(NAME, { logged: true, answers: [{ type: 16, data: new Uint8Array(900) }] }));
    const payload = dnsQuery({ labels: NAME, opt: { udpSize: 1232 } });
    const answered = () => rig.programs.counters().answered;
    const before = answered();
    let packet = rig.run(rig.rig.query(IPV4, { payload }));
    for (let i = 0; i < 1000 && readPacket(packet.packet).source === IPV4.vip; i++)
      packet = rig.run(rig.rig.query(IPV4, { payload }));
    expect([packet.verdict, readPacket(packet.packet).destination]).toEqual([REDIRECTED, IPV4.alive]);
    const logged = rig.shelf.logged();
    expect(BigInt(logged.length)).toBe(answered() - before);
    const bytes = logged.length * (8 + 56 + payload.length + (logged[0]?.reply.length ?? 0));
    expect(bytes).toBeGreaterThan(0.74 * 262_144);
    expect(bytes).toBeLessThan(0.77 * 262_144);
    rig.expectAnswered(payload);
  });
});
