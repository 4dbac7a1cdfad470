import { expect, test } from 'vitest';
import { type GuestLine, parseLine } from '../../test/kernels/guest/report.ts';
import { summarise } from './outcome.ts';

const START: GuestLine = { kind: 'kernel', release: '6.1.0-50-cloud-amd64' };
const END: GuestLine = { kind: 'end', ms: 31_400 };
const PROGRAM: GuestLine = {
  kind: 'program',
  object: 'POD_OBJECT',
  program: 'from_endpoint',
  instructions: 3668,
  examined: 45_919,
};
const LACKS: GuestLine = {
  kind: 'feature',
  name: 'TCX links',
  expected: false,
  has: false,
  message: 'needs Linux 6.6',
};
const TEST: GuestLine = { kind: 'test', file: 'a.kernel.test.ts', name: 'a query arrives', ms: 12 };

test('a guest that said all and powered off has passed, and says what it found', () => {
  const { passed, lines } = summarise('6.1', [START, PROGRAM, LACKS, TEST, END], 'off');
  expect(passed).toBe(true);
  expect(lines).toEqual([
    'from_endpoint: 3668 instructions, 45919 examined (4.6 % of the limit)',
    'TCX links: absent: needs Linux 6.6',
    '6.1: PASSED (6.1.0-50-cloud-amd64): 1 programs, 1 features, 1 tests, 31 s of tests',
  ]);
});

test.each([
  {
    name: 'a program was refused',
    line: { ...PROGRAM, error: 'R1 min value is negative' },
    says: 'R1 min value',
  },
  { name: 'a test failed', line: { ...TEST, error: 'expected 1 to be 2' }, says: 'expected 1 to be 2' },
  {
    name: 'a kernel has what it should not',
    line: { ...LACKS, has: true },
    says: 'expected absent: found present',
  },
  {
    name: 'a kernel lacks what it should have',
    line: { ...LACKS, expected: true },
    says: 'expected present: found absent',
  },
])('a guest has failed when $name, and the reason is told', ({ line, says }) => {
  const { passed, lines } = summarise('6.1', [START, line, END], 'off');
  expect(passed).toBe(false);
  expect(lines.join('\n')).toContain(says);
  expect(lines.at(-1)).toContain('6.1: FAILED');
});

test.each([
  {
    name: 'that never started',
    lines: [],
    end: 'broken' as const,
    says: 'the guest broke before its last line',
  },
  {
    name: 'that powered off too early',
    lines: [START, TEST],
    end: 'off' as const,
    says: 'powered off before its last line',
  },
  {
    name: 'that was too slow',
    lines: [START, TEST],
    end: 'time-limit' as const,
    says: 'reached its time limit before',
  },
  {
    name: 'that did not power off',
    lines: [START, TEST, END],
    end: 'time-limit' as const,
    says: 'reached its time limit',
  },
  {
    name: 'of which nothing was asked',
    lines: [START, END],
    end: 'off' as const,
    says: 'nothing was asked',
  },
])('a guest $name has failed', ({ lines, end, says }) => {
  const outcome = summarise('6.1', lines, end);
  expect(outcome.passed).toBe(false);
  expect(outcome.lines.join('\n')).toContain(says);
});

test.each(['', '{', '[1]', 'null', '{"kind":"nonsense"}', '[    1.2] Linux version 6.1', '{"release":"x"}'])(
  'parseLine passes over %j',
  (text) => expect(parseLine(text)).toBeUndefined(),
);

test('parseLine takes what a guest writes', () => {
  for (const line of [START, PROGRAM, LACKS, TEST, END])
    expect(parseLine(JSON.stringify(line))).toEqual(line);
});
