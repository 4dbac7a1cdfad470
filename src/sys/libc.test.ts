import { expect, test } from 'vitest';
import { errnoName, sysError } from './errors.ts';
import { openLibc } from './libc.ts';

test('openLibc passes its self-test here and gives the same object twice', () => {
  expect(openLibc()).toBe(openLibc());
});

test('a failed call is a negated errno, not an exception', () => {
  expect(errnoName(openLibc().close(-1))).toBe('EBADF');
  expect(errnoName(openLibc().setns(-1, 0))).toBe('EBADF');
  expect(errnoName(openLibc().bpf(9999, new Uint8Array(144)))).toMatch(/^(EINVAL|EPERM)$/);
});

test('sysError names the action and the error, and what to do when it is a matter of permission', () => {
  const refused = sysError('pin a map', -1);
  expect(refused).toMatchObject({ code: 'SYS_CALL_FAILED', message: 'Cannot pin a map: EPERM' });
  expect(refused.hint).toContain('CAP_BPF');
  expect(sysError('pin a map', -28).hint).toBeUndefined();
});
