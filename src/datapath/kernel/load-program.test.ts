import { expect, test } from 'vitest';
import { refusal, tooOld } from './load-program.ts';

const EACCES = -13;
const EPERM = -1;
const EINVAL = -22;

test('refusal without a log is a matter of permission', () => {
  const error = refusal('load program x', EPERM, '');
  expect(error).toMatchObject({ code: 'DATAPATH_NOT_PERMITTED', message: 'Cannot load program x: EPERM' });
  expect(error.hint).toContain('CAP_BPF');
});

test.each([
  { name: 'does not know', line: 'invalid func unknown#155' },
  { name: 'does not know by name', line: 'unknown func bpf_redirect_peer#155' },
  { name: 'does not let us use', line: 'program of this type cannot use helper bpf_redirect_peer#155' },
])('refusal names the helper that an old kernel $name, and the kernel that has it', ({ line }) => {
  const error = refusal('load program x', EINVAL, `10: (85) call\n${line}\n`);
  expect(error.code).toBe('DATAPATH_KERNEL_TOO_OLD');
  expect(error.message).toContain(
    'Cannot load program x: helper bpf_redirect_peer needs Linux 5.10: received',
  );
});

test('refusal by the verifier shows the end of its log, how much it left out, and keeps all of it as the cause', () => {
  const log = Array.from({ length: 100 }, (_, i) => `line ${i}`).join('\n');
  const error = refusal('load program x', EACCES, log);
  expect(error.code).toBe('DATAPATH_PROGRAM_REFUSED');
  expect(error.message).toContain('(88 lines omitted)\nline 88\n');
  expect(error.message).toMatch(/line 99$/);
  expect(error.cause).toMatchObject({ message: log });
});

test('tooOld says what is missing and since when it exists', () => {
  expect(tooOld('attach to interface 4', 'a TCX link', '6.6').message).toMatch(
    /^Cannot attach to interface 4: a TCX link needs Linux 6\.6: received \d/,
  );
});
