import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SieveStore } from './answer-store.ts';

const roomFor = (entries: number, bytes = Number.POSITIVE_INFINITY) =>
  new SieveStore<number>({ entries, bytes });

describe('SieveStore', () => {
  it('gives back what was put in, until it is removed', () => {
    const store = roomFor(2);
    store.insert('a', 1, 1);
    expect(store.lookup('a')).toBe(1);
    store.insert('a', 2, 1);
    expect(store.lookup('a')).toBe(2);
    expect(store.size).toBe(1);
    store.remove('a');
    expect(store.lookup('a')).toBeUndefined();
  });

  it('takes out what came first and was not used since', () => {
    const store = roomFor(3);
    for (const key of ['a', 'b', 'c']) store.insert(key, 0, 1);
    store.lookup('a');
    expect(store.insert('d', 0, 1)).toBe(1);
    expect(['a', 'b', 'c', 'd'].filter((key) => store.lookup(key) !== undefined)).toEqual(['a', 'c', 'd']);
  });

  it('keeps the names that are asked all the time through a flood of names asked once', () => {
    const store = roomFor(100);
    const popular = Array.from({ length: 50 }, (_, i) => `popular${i}`);
    for (const key of popular) store.insert(key, 0, 1);
    for (let i = 0; i < 10_000; i++) {
      store.lookup(popular[i % popular.length] ?? '');
      store.insert(`once${i}`, 0, 1);
    }
    expect(popular.filter((key) => store.lookup(key) !== undefined)).toHaveLength(50);
  });

  it('makes as much room as a large entry needs, and leaves out what would never fit', () => {
    const store = roomFor(100, 10);
    for (const key of ['a', 'b', 'c', 'd', 'e']) store.insert(key, 0, 2);
    expect(store.insert('large', 0, 7)).toBe(4);
    expect(store.insert('monster', 0, 11)).toBe(0);
    expect(store.lookup('monster')).toBeUndefined();
    expect(store.bytes).toBe(9);
  });

  it('never holds more than its limits, and never what was removed', () => {
    const key = fc.integer({ min: 0, max: 12 }).map(String);
    const step = fc.oneof(
      fc.record({ act: fc.constant('insert' as const), key, bytes: fc.integer({ min: 0, max: 6 }) }),
      fc.record({ act: fc.constantFrom('lookup' as const, 'remove' as const), key, bytes: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const store = roomFor(5, 12);
        const model = new Map<string, number>();
        steps.forEach(({ act, key, bytes }, i) => {
          if (act === 'insert') {
            store.insert(key, i, bytes);
            model.set(key, i);
          } else if (act === 'remove') {
            store.remove(key);
            model.delete(key);
          } else {
            const value = store.lookup(key);
            expect(value === undefined || value === model.get(key)).toBe(true);
          }
          expect(store.size).toBeLessThanOrEqual(5);
          expect(store.bytes).toBeLessThanOrEqual(12);
        });
      }),
    );
  });
});
