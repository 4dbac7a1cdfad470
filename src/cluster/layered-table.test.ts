import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedTable } from './layered-table.ts';

const big = new Map(Array.from({ length: 1000 }, (_, i) => [`ns/${i}`, i]));

/** Rows that are there, rows that are not, and rows that go. */
const changes = fc.array(
  fc.array(fc.tuple(fc.integer({ min: 990, max: 1010 }), fc.option(fc.nat(), { nil: undefined })), {
    maxLength: 20,
  }),
  { maxLength: 8 },
);

describe('changedTable', () => {
  it('holds after any history what a map holds that was changed in place', () => {
    fc.assert(
      fc.property(changes, (history) => {
        const plain = new Map(big);
        let table: ReadonlyMap<string, number> = big;
        for (const step of history) {
          const layer = new Map(step.map(([key, row]) => [`ns/${key}`, row]));
          table = changedTable(table, layer);
          for (const [key, row] of layer) row === undefined ? plain.delete(key) : plain.set(key, row);
        }
        expect(table.size).toBe(plain.size);
        expect(new Map(table)).toEqual(plain);
        expect(new Set(table.keys())).toEqual(new Set(plain.keys()));
        expect([...table.values()].sort()).toEqual([...plain.values()].sort());
        for (let key = 985; key < 1015; key++) {
          expect(table.get(`ns/${key}`)).toBe(plain.get(`ns/${key}`));
          expect(table.has(`ns/${key}`)).toBe(plain.has(`ns/${key}`));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('leaves the table before as it was', () => {
    const first = changedTable(big, new Map([['ns/1', 7]]));
    const second = changedTable(first, new Map([['ns/1', undefined]]));
    expect([big.get('ns/1'), first.get('ns/1'), second.get('ns/1')]).toEqual([1, 7, undefined]);
    expect([big.size, first.size, second.size]).toEqual([1000, 1000, 999]);
  });
});
