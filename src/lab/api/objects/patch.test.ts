import { describe, expect, it } from 'vitest';
import { mergePatch, strategicMergePatch } from './patch.ts';

describe('mergePatch', () => {
  // The examples of RFC 7386, appendix A.
  it.each([
    { target: { a: 'b' }, patch: { a: 'c' }, result: { a: 'c' } },
    { target: { a: 'b' }, patch: { b: 'c' }, result: { a: 'b', b: 'c' } },
    { target: { a: 'b' }, patch: { a: null }, result: {} },
    { target: { a: 'b', b: 'c' }, patch: { a: null }, result: { b: 'c' } },
    { target: { a: ['b'] }, patch: { a: 'c' }, result: { a: 'c' } },
    { target: { a: 'c' }, patch: { a: ['b'] }, result: { a: ['b'] } },
    { target: { a: { b: 'c' } }, patch: { a: { b: 'd', c: null } }, result: { a: { b: 'd' } } },
    { target: { a: [{ b: 'c' }] }, patch: { a: [1] }, result: { a: [1] } },
    { target: ['a', 'b'], patch: ['c', 'd'], result: ['c', 'd'] },
    { target: { a: 'b' }, patch: ['c'], result: ['c'] },
    { target: { a: 'foo' }, patch: null, result: null },
    { target: { e: null }, patch: { a: 1 }, result: { e: null, a: 1 } },
    { target: [1, 2], patch: { a: 'b', c: null }, result: { a: 'b' } },
    { target: {}, patch: { a: { bb: { ccc: null } } }, result: { a: { bb: {} } } },
  ])('$target with $patch is $result', ({ target, patch, result }) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });
});

describe('strategicMergePatch', () => {
  const dns = { name: 'dns', port: 53, protocol: 'UDP' };
  const dnsTcp = { name: 'dns-tcp', port: 53, protocol: 'TCP' };
  const metrics = { name: 'metrics', port: 9153, protocol: 'TCP' };
  const cases = [
    {
      name: 'merges containers by name and their ports by number and protocol',
      target: {
        containers: [
          { name: 'a', image: '1', ports: [{ containerPort: 53, protocol: 'UDP' }] },
          { name: 'b' },
        ],
      },
      patch: { containers: [{ name: 'a', ports: [{ containerPort: 53, protocol: 'TCP' }] }] },
      result: {
        containers: [
          {
            name: 'a',
            image: '1',
            ports: [
              { containerPort: 53, protocol: 'UDP' },
              { containerPort: 53, protocol: 'TCP' },
            ],
          },
          { name: 'b' },
        ],
      },
    },
    {
      name: 'tells two service ports of one number apart by protocol',
      target: { ports: [dns, dnsTcp] },
      patch: { ports: [{ port: 53, protocol: 'TCP', name: 'renamed' }] },
      result: { ports: [dns, { ...dnsTcp, name: 'renamed' }] },
    },
    {
      name: 'deletes a list element by its key',
      target: { ports: [dns, metrics] },
      patch: { ports: [{ port: 9153, $patch: 'delete' }] },
      result: { ports: [dns] },
    },
    {
      name: 'orders a merged list as it is told',
      target: { ports: [dns, metrics] },
      patch: {
        '$setElementOrder/ports': [{ port: 9153 }, { port: 53 }],
        ports: [{ port: 53, name: 'first' }],
      },
      result: { ports: [metrics, { ...dns, name: 'first' }] },
    },
    {
      name: 'replaces a map that says so',
      target: { selector: { a: '1', b: '2' } },
      patch: { selector: { $patch: 'replace', c: '3' } },
      result: { selector: { c: '3' } },
    },
    {
      name: 'replaces a list whose elements have no key',
      target: { endpoints: [{ addresses: ['a'] }] },
      patch: { endpoints: [{ addresses: ['b'] }] },
      result: { endpoints: [{ addresses: ['b'] }] },
    },
    {
      name: 'merges and deletes primitives',
      target: { finalizers: ['a', 'b'] },
      patch: {
        '$setElementOrder/finalizers': ['b', 'c'],
        finalizers: ['c'],
        '$deleteFromPrimitiveList/finalizers': ['a'],
      },
      result: { finalizers: ['b', 'c'] },
    },
    {
      name: 'keeps only the keys it is told to',
      target: { strategy: { type: 'RollingUpdate', rollingUpdate: {} } },
      patch: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
      result: { strategy: { type: 'Recreate' } },
    },
    { name: 'deletes a field that is null', target: { a: 1, b: 2 }, patch: { a: null }, result: { b: 2 } },
    {
      name: 'updates a condition by its type',
      target: { conditions: [{ type: 'Ready', status: 'False' }] },
      patch: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Other', status: 'True' },
        ],
      },
      result: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'Other', status: 'True' },
        ],
      },
    },
  ];
  it.each(cases)('$name', ({ target, patch, result }) => {
    const before = structuredClone(target);
    expect(strategicMergePatch(target, patch)).toEqual(result);
    expect(target).toEqual(before);
  });

  it('takes a field called __proto__ for a field', () => {
    const patch = JSON.parse('{"__proto__":{"polluted":true}}');
    for (const merge of [mergePatch, strategicMergePatch]) {
      expect(Object.getPrototypeOf(merge({}, patch))).toBe(Object.prototype);
      expect(Object.keys(merge({}, patch) as object)).toEqual(['__proto__']);
    }
  });
});
