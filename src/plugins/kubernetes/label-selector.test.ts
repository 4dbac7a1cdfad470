import { describe, expect, it } from 'vitest';
import { isLabelSelector } from './label-selector.ts';

describe('isLabelSelector', () => {
  it.each([
    'app=dns',
    'app==dns',
    'app!=dns',
    'app',
    '!app',
    'app=',
    'app in (a, b)',
    'app notin (a)',
    'application in (nginx,web), !canary',
    'kubernetes.io/metadata.name=default,tier!=x',
  ])('takes %s', (text) => {
    expect(isLabelSelector(text)).toBe(true);
  });

  it.each([
    '',
    ',',
    'app in',
    'app in ()x',
    'app in a',
    'app=dns,',
    'app=a b',
    '-app',
    'a/b/c',
    'app>1<',
    'ä=b',
  ])('refuses %j', (text) => {
    expect(isLabelSelector(text)).toBe(false);
  });

  it('refuses a long text without thinking about it', () => {
    expect(isLabelSelector('a,'.repeat(100_000))).toBe(false);
  });
});
