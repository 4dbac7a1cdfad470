import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../dns/decode-message.ts';
import { createAnswerCache } from './answer-cache.ts';
import type { PartitionSpec, ReplaySpec, RouteSpec, WireAnswer } from './contract.ts';
import { createPacketAnswerer } from './packet-answerer.ts';
import { addresses, answerOf, bulk, key, name, packet, packetSlot } from './testing/answers.ts';

const IP = Uint8Array.of(192, 0, 2, 1);

interface AskOptions {
  readonly nowMs?: number;
  /** Of the batch. */
  readonly endMs?: number;
  readonly listener?: number;
  readonly family?: 4 | 6;
}

/** One listener with a partition behind each zone. */
function bench(
  zones: readonly string[],
  replay: Partial<ReplaySpec> = {},
  spec: Partial<PartitionSpec> = {},
) {
  const cache = createAnswerCache({ budgetBytes: 1 << 20, random: Math.random });
  const partitions = zones.map(() =>
    cache.open({ successEntries: 100, denialEntries: 100, keepTtl: false, prefetch: undefined, ...spec }),
  );
  const routeTo = (zone: string, i: number): RouteSpec => ({
    zone: name(zone),
    replay: {
      partition: partitions[i]?.id ?? 0,
      shuffle: false,
      limitBytes: undefined,
      counted: false,
      ...replay,
    },
  });
  const specs = zones.map(routeTo);
  const [routes = []] = cache.replaceRoutes([specs]);
  const { packets, bytes, put } = packetSlot();
  const reader = createPacketAnswerer(cache.shared, { seat: cache.openSeat()?.number ?? 0, packets });
  const ask = (query: Uint8Array, options: AskOptions = {}) => {
    const { nowMs = 0, endMs = nowMs, listener = 0, family = 4 } = options;
    reader.begin();
    const length = reader.answer(0, put(query), listener, family, nowMs);
    reader.end(endMs);
    const decoded = length === 0 ? undefined : decodeMessage(bytes.slice(0, length));
    return decoded?.ok ? decoded.value : undefined;
  };
  /** Puts an answer into the partition of a zone. */
  const store = (zone: number, text: string, answer: WireAnswer = addresses(text, 1, IP)) =>
    partitions[zone]?.insert(key(text), 'success', answer);
  return { cache, specs, routes, reader, ask, store, put, bytes };
}

describe('createPacketAnswerer', () => {
  it('takes the longest zone that holds the name, at its labels', () => {
    const { ask, routes, reader, store } = bench(['.', 'example.', 'a.example.']);
    store(0, 'ba.example.');
    store(1, 'ba.example.');
    store(2, 'x.A.example.');
    expect(ask(packet('X.a.EXAMPLE.'))?.answers).toHaveLength(1);
    expect(reader.lastRoute).toBe(routes[2]?.id);
    expect(ask(packet('ba.example.'))?.answers).toHaveLength(1);
    expect(reader.lastRoute).toBe(routes[1]?.id);
    expect(ask(packet('example.org.'))).toBeUndefined();
  });

  it('knows no other listener, no zone it was not given and no DS', () => {
    const { ask, store } = bench(['example.']);
    store(0, 'a.example.');
    store(0, 'a.other.');
    expect(ask(packet('a.example.'), { listener: 1 })).toBeUndefined();
    expect(ask(packet('a.other.'))).toBeUndefined();
    expect(ask(packet('a.example.', 43))).toBeUndefined();
    expect(ask(packet('a.example.'))).toBeDefined();
  });

  it('follows routes that are replaced, with the next batch', () => {
    const { ask, cache, specs, store } = bench(['example.']);
    store(0, 'a.example.');
    expect(ask(packet('a.example.'))).toBeDefined();
    cache.replaceRoutes([[{ zone: name('example.'), replay: undefined }]]);
    expect(ask(packet('a.example.'))).toBeUndefined();
    cache.replaceRoutes([[], specs]);
    expect(ask(packet('a.example.'))).toBeUndefined();
    expect(ask(packet('a.example.'), { listener: 1 })).toBeDefined();
  });

  it('lets answers grow old and expire, and makes none younger than it is', () => {
    const { ask, store } = bench(['.']);
    store(0, 'a.example.');
    const ttlAt = (nowMs: number) => ask(packet('a.example.'), { nowMs })?.answers[0]?.ttlSeconds;
    expect([-200, 0, 999, 1000, 29_999, 30_000].map(ttlAt)).toEqual([30, 30, 30, 29, 1, undefined]);
  });

  it('shows the first TTL for ever where the block says so, until the answer expires', () => {
    const { ask, store } = bench(['.'], {}, { keepTtl: true });
    store(0, 'a.example.');
    expect(ask(packet('a.example.'), { nowMs: 29_000 })?.answers[0]?.ttlSeconds).toBe(30);
    expect(ask(packet('a.example.'), { nowMs: 30_000 })).toBeUndefined();
  });

  it('leaves what a client may be too small for to the main thread', () => {
    const { ask, store } = bench(['.']);
    store(0, 'fits.', bulk('fits.', 512 - 12 - 10 - 16));
    store(0, 'large.', bulk('large.', 512 - 12 - 10 - 16));
    expect(ask(packet('fits.'))).toBeDefined();
    expect(ask(packet('large.'))).toBeUndefined();
  });

  it('draws every order of addresses, and loses none', () => {
    const { ask, store } = bench(['.'], { shuffle: true });
    const records = [1, 2, 3].map((last) => ({
      name: name('a.example.'),
      type: 1,
      class: 1,
      ttlSeconds: 30,
      rdata: Uint8Array.of(192, 0, 2, last),
    }));
    store(0, 'a.example.', answerOf(records));
    const seen = new Map<string, number>();
    for (let i = 0; i < 600; i++) {
      const order =
        ask(packet('a.example.'))
          ?.answers.map(({ rdata }) => rdata[3])
          .join('') ?? 'none';
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual(['123', '132', '213', '231', '312', '321']);
    expect(Math.min(...seen.values())).toBeGreaterThan(40);
  });

  it('leaves an answer that is popular and nearly old to the main thread, which fetches it anew', () => {
    const prefetch = { hits: 3, gapMs: 5000, percent: 50 };
    const { ask, store } = bench(['.'], {}, { prefetch });
    store(0, 'a.example.');
    const answered = [11_000, 12_000, 13_000, 16_000, 16_500].map(
      (nowMs) => ask(packet('a.example.'), { nowMs }) !== undefined,
    );
    expect(answered).toEqual([true, true, true, false, false]);
  });

  it('counts what it answered, by route, and tells it once', () => {
    const { ask, routes, store } = bench(['.'], { counted: true });
    store(0, 'a.example.');
    expect(routes[0]?.takeTotals()).toBeUndefined();
    ask(packet('a.example.'), { endMs: 0.04 });
    ask(packet('a.example.'), { family: 6, endMs: 0.5 });
    ask(packet('b.example.'), { endMs: 7 });
    // 12 + 11 + 4 bytes of header and question; 11 + 10 + 4 more for the answer
    expect(routes[0]?.takeTotals()).toEqual({
      transport: 'udp',
      requests: [
        { family: '1', type: 1, count: 1 },
        { family: '2', type: 1, count: 1 },
      ],
      rcodes: [{ rcode: 0, count: 2 }],
      doRequests: 0,
      requestSizes: [{ upTo: 100, count: 2 }],
      requestBytes: 54,
      responseSizes: [{ upTo: 100, count: 2 }],
      responseBytes: 104,
      durations: [
        { upToSeconds: 0.000_25, count: 1 },
        { upToSeconds: 0.000_5, count: 1 },
      ],
      durationSeconds: 0.000_54,
      successHits: 2,
      denialHits: 0,
    });
    expect(routes[0]?.takeTotals()).toBeUndefined();
  });

  it('counts what it still answers by routes that were just replaced for those alone, however many there are', () => {
    const zones = Array.from({ length: 100 }, (_, i) => `z${i}.`);
    const { cache, reader, routes, specs, store, put } = bench(zones, { counted: true });
    zones.forEach((zone, i) => {
      store(i, zone);
    });
    reader.begin();
    const [replaced = []] = cache.replaceRoutes([specs]);
    for (const zone of zones) expect(reader.answer(0, put(packet(zone)), 0, 4, 0)).toBeGreaterThan(0);
    reader.end(0);
    expect(replaced.filter((route) => route.takeTotals() !== undefined)).toEqual([]);
    expect(routes.map((route) => route.takeTotals()?.successHits)).toEqual(zones.map(() => 1));
  });

  it('counts every answer of a batch with what the batch took, by route', () => {
    const { reader, routes, put, store } = bench(['.', 'b.example.'], { counted: true });
    store(0, 'a.example.');
    store(1, 'x.b.example.');
    reader.begin();
    for (const text of ['a.example.', 'x.b.example.', 'a.example.', 'nowhere.']) {
      reader.answer(0, put(packet(text)), 0, 4, 1000);
    }
    reader.end(1000.3);
    reader.begin();
    reader.answer(0, put(packet('x.b.example.')), 0, 4, 2000);
    // Longer than any bound: the thread was put off.
    reader.end(22_000);
    const told = routes.map((route) => route.takeTotals());
    expect(told.map((totals) => totals?.durations)).toEqual([
      [{ upToSeconds: 0.000_5, count: 2 }],
      [
        { upToSeconds: 0.000_5, count: 1 },
        { upToSeconds: Number.POSITIVE_INFINITY, count: 1 },
      ],
    ]);
    expect(told[0]?.durationSeconds).toBeCloseTo(0.0006, 9);
    expect(told[1]?.durationSeconds).toBeCloseTo(20.0003, 9);
  });

  it('never touches a packet it does not answer, wherever it is cut off', () => {
    const { reader, store, put, bytes } = bench(['.']);
    store(0, 'a.example.');
    const query = packet('a.example.');
    for (let length = 0; length < query.length; length++) {
      bytes.fill(0);
      put(query);
      bytes.fill(0xc0, length);
      const before = bytes.slice();
      reader.begin();
      expect(reader.answer(0, length, 0, 4, 0)).toBe(0);
      expect(bytes).toEqual(before);
      reader.end(0);
    }
  });
});
