import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSubdomain, type Name } from '../../dns/name.ts';
import { name } from '../fake-host.ts';
import { canonicalKey } from './canonical-order.ts';

const inOrder = (names: readonly Name[]) =>
  names
    .map((each) => ({ each, key: canonicalKey(each) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ each }) => each);

describe('canonicalKey', () => {
  it('orders the names of RFC 4034 section 6.1 as they stand there', () => {
    const names = [
      'example.',
      'a.example.',
      'yljkjljk.a.example.',
      'Z.a.example.',
      'zABC.a.EXAMPLE.',
      'z.example.',
      '\\001.z.example.',
      '*.z.example.',
      '\\200.z.example.',
    ].map(name);
    expect(inOrder([...names].reverse())).toEqual(names);
  });

  it('puts the root first, and a label before those it begins', () => {
    const names = ['.', 'a.', '\\000.a.', 'b.a.', 'aa.', 'a\\000.', 'a\\.b.', 'ab.'].map(name);
    const expected = ['.', 'a.', '\\000.a.', 'b.a.', 'a\\000.', 'a\\.b.', 'aa.', 'ab.'];
    expect(inOrder(names)).toEqual(expected);
  });

  it('keeps all names below another together, right behind it', () => {
    const label = fc.constantFrom('a', 'A', 'b', '*', '\\000', '\\255', 'a\\.a', 'aa');
    const anyName = fc
      .array(label, { minLength: 1, maxLength: 4 })
      .map((labels) => name(`${labels.join('.')}.`));
    fc.assert(
      fc.property(fc.array(anyName, { maxLength: 12 }), anyName, (names, top) => {
        const sorted = inOrder([...names, top]);
        const flags = sorted.map((each) => (isSubdomain(top, each) ? '1' : '0')).join('');
        expect(flags).toMatch(/^0*1+0*$/);
      }),
    );
  });
});
