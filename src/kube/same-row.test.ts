import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sameRow } from './same-row.ts';

describe('sameRow', () => {
  it('agrees with the runtime about any two values of JSON', () => {
    const few = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(few, few, (a, b) => {
        expect(sameRow(a, b)).toBe(isDeepStrictEqual(a, b));
        expect(sameRow(a, structuredClone(a))).toBe(true);
      }),
    );
  });

  it.each([
    [{ a: undefined }, {}],
    [{ a: 1 }, { b: 1 }],
    [[], {}],
    [{ toString: 1 }, {}],
    [null, {}],
    ['1', 1],
  ])('tells %j from %j', (a, b) => {
    expect(sameRow(a, b)).toBe(false);
    expect(sameRow(b, a)).toBe(false);
  });
});
