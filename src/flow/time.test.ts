import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWallTime, formatTime, parseTime } from './time.ts';

describe('formatTime', () => {
  it.each([
    { name: 'no fraction', ns: 1_772_532_000_000_000_000n, text: '2026-03-03T10:00:00Z' },
    { name: 'milliseconds', ns: 1_772_532_000_014_000_000n, text: '2026-03-03T10:00:00.014Z' },
    { name: 'microseconds', ns: 1_772_532_000_014_500_000n, text: '2026-03-03T10:00:00.014500Z' },
    { name: 'nanoseconds', ns: 1_772_532_000_014_500_001n, text: '2026-03-03T10:00:00.014500001Z' },
  ])('writes $name as protobuf JSON does', ({ ns, text }) => {
    expect(formatTime(ns)).toBe(text);
  });

  it('is undone by parseTime', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 4_000_000_000_000_000_000n), (ns) => parseTime(formatTime(ns)) === ns),
    );
  });
});

describe('parseTime', () => {
  it('reads offsets', () => {
    expect(parseTime('2026-03-03T11:00:00.5+01:00')).toBe(1_772_532_000_500_000_000n);
  });

  it.each(['', 'yesterday', '2026-03-03', '2026-13-03T10:00:00Z', '2026-03-03T10:00:00'])(
    'refuses %j',
    (text) => {
      expect(parseTime(text)).toBeUndefined();
    },
  );
});

describe('createWallTime', () => {
  it('follows a wall clock that is stepped, and ignores its rounding', () => {
    let stepMs = 0;
    let monotonicNs = 5_000_000_000n;
    const source = {
      nowMs: () => Math.floor(1_000_000 + Number(monotonicNs / 1000n) / 1000) + stepMs,
      monotonicNs: () => monotonicNs,
    };
    const time = createWallTime(source, () => 1_005_000.25);
    expect(time.wallNs(5_000_000_000n)).toBe(1_005_000_250_000n);
    monotonicNs += 1_300_000n;
    time.refresh();
    expect(time.wallNs(5_000_000_000n)).toBe(1_005_000_250_000n);
    stepMs = 60_000;
    time.refresh();
    expect(Number(time.wallNs(5_000_000_000n) - 1_065_000_250_000n)).toBeLessThan(2_000_000);
  });
});
