import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CountTable } from './count-table.ts';

it('counts as a map does, in the order of the first, while there is room', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(20), fc.nat(0xffffffff)), { maxLength: 200 }), (keys) => {
      const table = new CountTable(200);
      const counts = new Map<number, number>();
      for (const key of keys) {
        table.add(key, 0);
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      expect(table.entries()).toEqual([...counts]);
    }),
  );
});

it('counts what it has no room for as something else, and loses nothing', () => {
  const table = new CountTable(8);
  for (let key = 100; key < 1100; key++) table.add(key, key % 32);
  const entries = table.entries();
  expect(entries.length).toBeLessThanOrEqual(8 + 32);
  expect(entries.slice(0, 8).map(([key]) => key)).toEqual([100, 101, 102, 103, 104, 105, 106, 107]);
  expect(entries.reduce((sum, [, count]) => sum + count, 0)).toBe(1000);
});
