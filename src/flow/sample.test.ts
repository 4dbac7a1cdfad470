import { describe, expect, it } from 'vitest';
import { compileNarrow } from './filter/narrow.ts';
import { parseFlowsRequest } from './read-flows.ts';
import { createSample } from './sample.ts';
import { sampleFlow } from './testing/sample-flow.ts';
import { ANSWER, packet } from './testing/sample-packet.ts';
import { TestNode } from './testing/test-node.ts';
import { formatTime, parseTime } from './time.ts';

const START = parseTime('2026-03-03T10:00:00Z') ?? 0n;
const MS = 1_000_000n;

/** Of each millisecond of so many seconds, whether it is in the sample. */
function milliseconds(oneIn: number, seconds: number): boolean[] {
  const isSampled = createSample(oneIn);
  return Array.from({ length: seconds * 1000 }, (_, ms) => isSampled(START + BigInt(ms) * MS));
}

describe('createSample', () => {
  it.each([2, 16, 64])('takes one part in %i of each second, in one piece or around its end', (oneIn) => {
    const taken = milliseconds(oneIn, 200);
    for (let second = 0; second < 200; second++) {
      const of = taken.slice(second * 1000, (second + 1) * 1000);
      expect(Math.abs(of.filter(Boolean).length - 1000 / oneIn)).toBeLessThanOrEqual(1);
      expect(of.filter((is, ms) => is && of.at(ms - 1) !== true)).toHaveLength(1);
    }
  });

  it('leaves no place of a second out, and prefers none', () => {
    const taken = milliseconds(8, 2000);
    const tenths = Array.from({ length: 10 }, (_, tenth) => {
      const of = taken.filter((_, ms) => Math.floor((ms % 1000) / 100) === tenth);
      return of.filter(Boolean).length / of.length;
    });
    for (const share of tenths) expect(Math.abs(share - 1 / 8)).toBeLessThan(0.03);
  });
});

describe('one_in', () => {
  const isSampled = createSample(10);
  const inside = Array.from({ length: 1000 }, (_, ms) => START + BigInt(ms) * MS).find(
    (timeNs) => isSampled(timeNs) && !isSampled(timeNs + 500n * MS),
  );
  if (inside === undefined) throw new Error('there is no sample');

  it('takes an answer with its query, however slow it was', () => {
    const narrow = compileNarrow({ one_in: 10 });
    const at = (timeNs: bigint, latency_ns?: bigint) => {
      const l7 =
        latency_ns === undefined ? {} : { l7: { type: 'RESPONSE', latency_ns: String(latency_ns) } as const };
      return narrow.ok && narrow.value(sampleFlow({ time: formatTime(timeNs), ...l7 }));
    };
    expect(at(inside)).toBe(true);
    expect(at(inside + 500n * MS)).toBe(false);
    expect(at(inside + 500n * MS, 500n * MS)).toBe(true);
  });

  it('takes all that is told of a query that the kernel answered, or nothing', () => {
    const narrow = compileNarrow({ one_in: 10 });
    const node = new TestNode();
    const epochNs = parseTime(node.see(packet({ timeNs: 0n }))[0]?.time ?? '') ?? 0n;
    const halves = Array.from({ length: 2000 }, (_, half) => {
      // Each answer took so long that its query was asked where the one before stands.
      const timeNs = START + (BigInt(half) * MS) / 2n - epochNs;
      const { next } = node.recorder.flows;
      const flows = node.see(packet({ verdict: 'answered', payload: ANSWER, tookNs: 500_000, timeNs }));
      const taken = new Set(flows.map((flow) => narrow.ok && narrow.value(flow)));
      taken.add(isSampled(node.recorder.flows.glance(next)?.askedNs ?? 0n));
      return [...taken];
    });
    expect(new Set(halves.map(String))).toEqual(new Set(['true', 'false']));
  });

  it('is decided by rows, before flows are put together', () => {
    const query = parseFlowsRequest({ follow: true, narrow: { one_in: 10 } });
    expect(query.ok && query.value.isSampled?.(inside)).toBe(true);
    expect(query.ok && query.value.isSampled?.(inside + 500n * MS)).toBe(false);
  });

  it.each([0, 1, 1001, 2.5, '7'])('refuses %o', (oneIn) => {
    expect(parseFlowsRequest({ narrow: { one_in: oneIn as number } })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('one_in'),
    });
  });
});
