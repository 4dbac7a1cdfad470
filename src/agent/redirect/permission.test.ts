import { expect, test } from 'vitest';
import { permissionOf } from './permission.ts';

test.each([
  { pod: undefined, namespace: undefined, rule: 'annotated', expected: {} },
  { pod: undefined, namespace: undefined, rule: 'all', expected: { permitted: true } },
  { pod: 'permit', namespace: undefined, rule: 'annotated', expected: { permitted: true } },
  { pod: undefined, namespace: 'permit', rule: 'annotated', expected: { permitted: true } },
  { pod: 'permit', namespace: 'deny', rule: 'annotated', expected: { observeOnly: true } },
  { pod: 'deny', namespace: 'permit', rule: 'all', expected: { observeOnly: true } },
  { pod: 'deny', namespace: undefined, rule: 'all', expected: { observeOnly: true } },
] as const)('permissionOf pod $pod, namespace $namespace, rule $rule', ({ rule, expected, ...wishes }) => {
  expect(permissionOf(wishes, rule)).toEqual(expected);
});
