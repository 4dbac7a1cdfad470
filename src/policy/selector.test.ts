/** Label selectors as the Kubernetes API defines them, on labels that mean harm as well. */
import { describe, expect, it } from 'vitest';
import type { LabelSelector } from '../cluster/rows.ts';
import { checkSelector, compileSelector, formatSelector } from './selector.ts';

const selector = (
  matchLabels: Record<string, string>,
  ...expressions: [string, string, string[]][]
): LabelSelector => ({
  matchLabels,
  matchExpressions: expressions.map(([key, operator, values]) => ({ key, operator, values })),
});

describe('compileSelector', () => {
  it.each([
    { name: 'an empty selector takes anything', given: selector({}), labels: {}, takes: true },
    { name: 'an empty value is a value', given: selector({ a: '' }), labels: { a: '' }, takes: true },
    { name: 'an empty value is not an absent label', given: selector({ a: '' }), labels: {}, takes: false },
    { name: 'all labels must agree', given: selector({ a: '1', b: '2' }), labels: { a: '1' }, takes: false },
    {
      name: 'the source prefix says nothing more',
      given: selector({ 'k8s:a': '1' }),
      labels: { a: '1' },
      takes: true,
    },
    { name: 'In needs the label', given: selector({}, ['a', 'In', ['1']]), labels: {}, takes: false },
    {
      name: 'In takes one of its values',
      given: selector({}, ['a', 'In', ['1', '2']]),
      labels: { a: '2' },
      takes: true,
    },
    {
      name: 'NotIn takes an absent label',
      given: selector({}, ['a', 'NotIn', ['1']]),
      labels: {},
      takes: true,
    },
    {
      name: 'NotIn refuses its values',
      given: selector({}, ['a', 'NotIn', ['1']]),
      labels: { a: '1' },
      takes: false,
    },
    {
      name: 'Exists takes an empty value',
      given: selector({}, ['a', 'Exists', []]),
      labels: { a: '' },
      takes: true,
    },
    {
      name: 'DoesNotExist refuses it',
      given: selector({}, ['a', 'DoesNotExist', []]),
      labels: { a: '' },
      takes: false,
    },
    {
      name: 'a method of Object is no label',
      given: selector({}, ['constructor', 'Exists', []]),
      labels: {},
      takes: false,
    },
  ])('$name', ({ given, labels, takes }) => {
    expect(checkSelector(given)).toBeUndefined();
    expect(compileSelector(given)(labels)).toBe(takes);
  });
});

describe('checkSelector', () => {
  it('refuses values where the operator takes none', () => {
    expect(checkSelector(selector({}, ['a', 'Exists', ['1']]))).toBe(
      'operator Exists on label "a" takes no values',
    );
  });
});

describe('formatSelector', () => {
  it('writes selectors as kubectl does', () => {
    const given = selector({ app: 'cache' }, ['tier', 'In', ['a', 'b']], ['canary', 'DoesNotExist', []]);
    expect(formatSelector(given)).toBe('!canary,app=cache,tier in (a,b)');
    expect(formatSelector(selector({}))).toBe('every pod');
  });
});
