import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GetFlowsResponse } from '../../flow/api.ts';
import { sampleFlow } from '../../flow/testing/sample-flow.ts';
import { formatTime } from '../../flow/time.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { mergeByTime } from './merge-by-time.ts';

const timeAt = (ms: number) => formatTime(BigInt(ms) * 1_000_000n);

const rowAt = (ms: number, node: string): GetFlowsResponse => ({
  flow: sampleFlow({ time: timeAt(ms) }),
  ...{ node_name: node, time: timeAt(ms) },
});

const lossAt = (ms: number, node: string): GetFlowsResponse => ({
  lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '1' },
  ...{ node_name: node, time: timeAt(ms) },
});

async function* stream(times: readonly number[], node: string): AsyncGenerator<GetFlowsResponse, void, void> {
  for (const ms of times) {
    await Promise.resolve();
    yield rowAt(ms, node);
  }
}

/** A stream that gives what it is told to, when it is told to. */
class Live implements AsyncIterable<GetFlowsResponse, void, void> {
  readonly #rows: GetFlowsResponse[] = [];
  #wake = (): void => undefined;
  #hasEnded = false;
  taken = 0;

  push(row: GetFlowsResponse): void {
    this.#rows.push(row);
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GetFlowsResponse, void, void> {
    for (;;) {
      const row = this.#rows.shift();
      if (row !== undefined) {
        this.taken++;
        yield row;
      } else if (this.#hasEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** Streams that join. */
class Door implements AsyncIterable<Live, void, void> {
  readonly #queue: Live[] = [];
  #wake = (): void => undefined;
  #isOpen = true;

  enter(lane: Live): void {
    this.#queue.push(lane);
    this.#wake();
  }

  close(): void {
    this.#isOpen = false;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Live, void, void> {
    for (;;) {
      const lane = this.#queue.shift();
      if (lane !== undefined) yield lane;
      else if (!this.#isOpen) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** All that was promised has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const ended = { clock: systemClock, windowMs: Number.POSITIVE_INFINITY };
const WINDOW_MS = 300;

interface Seen {
  readonly node: string;
  readonly ms: number;
  /** When it came out. */
  readonly atMs: number;
}

/** Reads a merge in the background. */
function follow(clock: VirtualClock, lanes: readonly Live[], joining?: AsyncIterable<Live, void, void>) {
  const seen: Seen[] = [];
  const merged = mergeByTime(lanes, {
    clock,
    windowMs: WINDOW_MS,
    ...(joining === undefined ? {} : { joining }),
  });
  const done = (async () => {
    for await (const { node_name: node, time } of merged)
      seen.push({ node, ms: Date.parse(time), atMs: clock.monotonicMs() });
  })();
  return { seen, done };
}

describe('mergeByTime, of streams that end', () => {
  it('gives every row once, in the order of time, of equals the first stream’s', async () => {
    const sorted = fc.array(fc.nat({ max: 20 })).map((list) => list.toSorted((a, b) => a - b));
    await fc.assert(
      fc.asyncProperty(fc.array(sorted, { maxLength: 5 }), async (lists) => {
        const merged: string[] = [];
        const streams = lists.map((list, node) => stream(list, String(node)));
        for await (const { time, node_name: node } of mergeByTime(streams, ended))
          merged.push(`${Date.parse(time)} ${node}`);
        const expected = lists.flatMap((list, node) => list.map((ms) => ({ ms, node })));
        expected.sort((a, b) => a.ms - b.ms || a.node - b.node);
        expect(merged).toEqual(expected.map(({ ms, node }) => `${ms} ${node}`));
      }),
    );
  });

  it('leaves flows in order around a loss, which is told of later than it happened', async () => {
    async function* lossy(): AsyncGenerator<GetFlowsResponse, void, void> {
      yield* [rowAt(1, 'a'), lossAt(9, 'a'), rowAt(3, 'a')];
    }
    const seen: string[] = [];
    for await (const { flow, time } of mergeByTime([lossy(), stream([2, 4], 'b')], ended))
      seen.push(`${flow === undefined ? 'loss' : 'flow'} ${Date.parse(time)}`);
    expect(seen).toEqual(['flow 1', 'loss 9', 'flow 2', 'flow 3', 'flow 4']);
  });

  it('throws what a stream throws', async () => {
    async function* broken(): AsyncGenerator<GetFlowsResponse, void, void> {
      yield rowAt(1, 'x');
      throw new Error('gone');
    }
    const read = async () => {
      for await (const _ of mergeByTime([broken(), stream([1, 2, 3], 'y')], ended));
    };
    await expect(read()).rejects.toThrow('gone');
  });

  it('holds a stream back that is far ahead of one that says nothing', async () => {
    const [far, silent] = [new Live(), new Live()];
    for (let ms = 0; ms < 10_000; ms++) far.push(rowAt(ms, 'far'));
    const merged = mergeByTime([far, silent], ended);
    const first = merged.next();
    await settled();
    expect(far.taken).toBeLessThanOrEqual(128);
    silent.end();
    expect((await first).value).toMatchObject({ node_name: 'far' });
    await merged.return();
  });

  it('shares what is read ahead between many streams', async () => {
    const all = Array.from({ length: 200 }, () => new Live());
    for (const each of all.slice(1)) for (let ms = 0; ms < 100; ms++) each.push(rowAt(ms, 'n'));
    const merged = mergeByTime(all, ended);
    const first = merged.next();
    await settled();
    expect(all.reduce((sum, { taken }) => sum + taken, 0)).toBeLessThanOrEqual(200 * 8);
    for (const each of all) each.end();
    await first;
    await merged.return();
  });
});

describe('mergeByTime, of streams that go on', () => {
  /** Rows of several nodes that each reach us within the window, by clocks that agree. */
  const visits = fc.array(
    fc.record({
      rows: fc.array(fc.record({ gapMs: fc.nat({ max: 200 }), delayMs: fc.nat({ max: WINDOW_MS - 1 }) }), {
        maxLength: 12,
      }),
      joinsMs: fc.nat({ max: 500 }),
      leaves: fc.boolean(),
    }),
    { minLength: 1, maxLength: 5 },
  );

  interface Act {
    readonly atMs: number;
    readonly run: () => void;
  }

  async function play(clock: VirtualClock, acts: readonly Act[]): Promise<void> {
    for (const { atMs, run } of acts.toSorted((a, b) => a.atMs - b.atMs)) {
      while (clock.monotonicMs() < atMs) {
        clock.pass(Math.min(10, atMs - clock.monotonicMs()));
        await settled();
      }
      run();
      await settled();
    }
  }

  /** `skewsMs` of each node's clock. Gives what was sent, and what came out. */
  async function run(
    plan: typeof visits extends fc.Arbitrary<infer T> ? T : never,
    skewsMs: readonly number[],
  ) {
    const clock = new VirtualClock();
    const epochMs = clock.nowMs();
    const sent: { node: string; ms: number; arrivedMs: number }[] = [];
    const door = new Door();
    const lanes = plan.map(() => new Live());
    const acts: Act[] = plan.flatMap(({ rows, joinsMs, leaves }, at) => {
      const lane = lanes[at] ?? new Live();
      const node = String(at);
      const own: Act[] = at === 0 ? [] : [{ atMs: joinsMs, run: () => door.enter(lane) }];
      let [seenMs, arrivedMs] = [at === 0 ? 0 : joinsMs, 0];
      for (const { gapMs, delayMs } of rows) {
        seenMs += gapMs;
        // One stream keeps its order.
        arrivedMs = Math.max(arrivedMs, seenMs + delayMs);
        const ms = epochMs + seenMs + (skewsMs[at] ?? 0);
        const atMs = arrivedMs;
        own.push({
          atMs,
          run: () => {
            sent.push({ node, ms, arrivedMs: clock.monotonicMs() });
            lane.push(rowAt(ms, node));
          },
        });
      }
      if (leaves) own.push({ atMs: arrivedMs, run: () => lane.end() });
      return own;
    });
    const { seen, done } = follow(clock, [lanes[0] ?? new Live()], door);
    await play(clock, acts);
    await play(clock, [{ atMs: clock.monotonicMs() + 4 * WINDOW_MS, run: () => undefined }]);
    const out = [...seen];
    door.close();
    for (const lane of lanes) lane.end();
    await done;
    return { sent, seen, out };
  }

  it('gives rows in the order of time whoever joins or leaves, and keeps none back', async () => {
    await fc.assert(
      fc.asyncProperty(visits, async (plan) => {
        const { sent, seen, out } = await run(plan, []);
        const times = seen.map(({ ms }) => ms);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        const labels = (rows: readonly { node: string; ms: number }[]) =>
          rows.map(({ node, ms }) => `${ms} ${node}`).sort();
        expect(labels(out)).toEqual(labels(sent));
      }),
      { numRuns: 60 },
    );
  });

  it('lets no row wait for clocks that go wrong: each is out within three windows, in the order of its node', async () => {
    const skew = fc.constantFrom(0, 0, 3_600_000, -3_600_000, 200, -200);
    await fc.assert(
      fc.asyncProperty(visits, fc.array(skew, { minLength: 5, maxLength: 5 }), async (plan, skews) => {
        const { sent, out } = await run(plan, skews);
        for (const node of new Set(sent.map((row) => row.node))) {
          const came = sent.filter((row) => row.node === node);
          const went = out.filter((row) => row.node === node);
          expect(went.map(({ ms }) => ms)).toEqual(came.map(({ ms }) => ms));
          const waits = went.map(({ atMs }, at) => atMs - (came[at]?.arrivedMs ?? 0));
          // The clock is turned by ten milliseconds at a time.
          expect(Math.max(0, ...waits)).toBeLessThanOrEqual(3 * WINDOW_MS + 30);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('gives a busy node’s rows as fast as they come beside one that is silent', async () => {
    const clock = new VirtualClock();
    const [busy, silent] = [new Live(), new Live()];
    const { seen, done } = follow(clock, [busy, silent]);
    for (let n = 0; n < 100; n++) {
      for (let k = 0; k < 20; k++) busy.push(rowAt(clock.nowMs(), 'busy'));
      clock.pass(10);
      await settled();
    }
    // Two thousand in a second: what is younger than the window still waits.
    expect(seen.length).toBeGreaterThanOrEqual(2000 - 20 * (WINDOW_MS / 10 + 1));
    clock.pass(WINDOW_MS);
    await settled();
    expect(seen).toHaveLength(2000);
    busy.end();
    silent.end();
    await done;
  });

  it('tells history in order when one stream takes its time, and does not wait for one that hangs', async () => {
    const clock = new VirtualClock();
    const hourAgo = clock.nowMs() - 3_600_000;
    const [quick, slow, hung] = [new Live(), new Live(), new Live()];
    const { seen, done } = follow(clock, [quick, slow, hung]);
    for (let n = 0; n < 50; n++) quick.push(rowAt(hourAgo + 2 * n, 'quick'));
    clock.pass(WINDOW_MS / 2);
    await settled();
    expect(seen).toEqual([]);
    for (let n = 0; n < 50; n++) slow.push(rowAt(hourAgo + 2 * n + 1, 'slow'));
    await settled();
    clock.pass(WINDOW_MS);
    await settled();
    const times = seen.map(({ ms }) => ms);
    expect(times).toHaveLength(100);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    for (const lane of [quick, slow, hung]) lane.end();
    await done;
  });
});
