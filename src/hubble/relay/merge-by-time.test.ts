import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GetFlowsResponse } from '../../flow/api.ts';
import { formatTime } from '../../flow/time.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { mergeByTime } from './merge-by-time.ts';

const at = (second: number, node: string): GetFlowsResponse => ({
  lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: '1' },
  node_name: node,
  time: formatTime(BigInt(second) * 1_000_000_000n),
});

async function* stream(
  seconds: readonly number[],
  node: string,
): AsyncGenerator<GetFlowsResponse, void, void> {
  for (const second of seconds) {
    await Promise.resolve();
    yield at(second, node);
  }
}

const ended = { clock: systemClock, windowMs: Number.POSITIVE_INFINITY };

describe('mergeByTime', () => {
  it('gives every row once, in the order of time', async () => {
    const sorted = fc.array(fc.nat({ max: 50 })).map((list) => list.toSorted((a, b) => a - b));
    await fc.assert(
      fc.asyncProperty(fc.array(sorted, { maxLength: 4 }), async (lists) => {
        const merged: string[] = [];
        for await (const { time } of mergeByTime(
          lists.map((list) => stream(list, 'n')),
          ended,
        ))
          merged.push(time);
        const expected = lists.flat().sort((a, b) => a - b);
        expect(merged).toEqual(expected.map((second) => at(second, 'n').time));
      }),
    );
  });

  it('does not wait for ever for a node that is silent', async () => {
    const silent: AsyncIterable<GetFlowsResponse, void, void> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    };
    const merged = mergeByTime([stream([1, 2], 'loud'), silent], { clock: systemClock, windowMs: 1 });
    expect([(await merged.next()).value, (await merged.next()).value]).toMatchObject([
      { node_name: 'loud' },
      { node_name: 'loud' },
    ]);
  });

  it('throws what a stream throws', async () => {
    async function* broken(): AsyncGenerator<GetFlowsResponse, void, void> {
      yield at(1, 'x');
      throw new Error('gone');
    }
    const read = async () => {
      for await (const _ of mergeByTime([broken(), stream([1, 2, 3], 'y')], ended));
    };
    await expect(read()).rejects.toThrow('gone');
  });
});
