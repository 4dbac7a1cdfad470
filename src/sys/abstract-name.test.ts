import { expect, test } from 'vitest';
import { claimedNames, claimName } from './abstract-name.ts';

test('claimName holds a name once, shows it, and gives it back', () => {
  const prefix = `zerohop-test/${process.pid}/`;
  const giveBack = claimName(`${prefix}a`);
  expect(claimName(`${prefix}a`)).toBeUndefined();
  const other = claimName(`${prefix}ab`);
  expect([...claimedNames(prefix)].sort()).toEqual([`${prefix}a`, `${prefix}ab`]);
  giveBack?.();
  expect(claimedNames(prefix)).toEqual([`${prefix}ab`]);
  other?.();
  expect(claimedNames(prefix)).toEqual([]);
});

test('claimName refuses a name that no socket could have', () => {
  expect(() => claimName('x'.repeat(108))).toThrow('108');
});
