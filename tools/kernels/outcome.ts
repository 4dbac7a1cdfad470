/** What the lines of one guest amount to: passed or not, and the text a person reads. Pure. */
import type { GuestLine } from '../../test/kernels/guest/report.ts';
import type { MachineEnd } from './machine.ts';

export interface Outcome {
  readonly passed: boolean;
  readonly lines: readonly string[];
}

/** A verifier refuses a program that it would have to examine longer than this. */
const MOST_EXAMINED = 1_000_000;

/** Failures in full, the rest in one line each; the last line is the verdict. */
export function summarise(wanted: string, lines: readonly GuestLine[], end: MachineEnd): Outcome {
  const release = lines.find((line) => line.kind === 'kernel')?.release ?? 'did not start';
  const failures = lines.flatMap(failureOf);
  const done = lines.some((line) => line.kind === 'end');
  if (!done || end !== 'off') failures.push(`the guest ${ENDS[end]}${done ? '' : ' before its last line'}`);
  if (done && !lines.some(({ kind }) => PROOFS.includes(kind)))
    failures.push('nothing was asked of the guest');
  const passed = failures.length === 0;
  const verdict = `${wanted}: ${passed ? 'PASSED' : 'FAILED'} (${release}): ${countsOf(lines)}`;
  return { passed, lines: [...lines.flatMap(factOf), ...failures.map((text) => `FAILED ${text}`), verdict] };
}

/** A name that matches nothing must not look like success. */
const PROOFS: readonly GuestLine['kind'][] = ['program', 'feature', 'test'];

const ENDS: Readonly<Record<MachineEnd, string>> = {
  off: 'powered off',
  'time-limit': 'reached its time limit',
  broken: 'broke',
};

function failureOf(line: GuestLine): readonly string[] {
  switch (line.kind) {
    case 'program':
      return line.error === undefined ? [] : [`${line.object} ${line.program}: ${line.error}`];
    case 'test':
      return line.error === undefined ? [] : [`${line.file}: ${line.name}\n${line.error}`];
    case 'feature':
      return line.has === line.expected
        ? []
        : [
            `${line.name}: expected ${presence(line.expected)}: found ${presence(line.has)}: ${line.message ?? ''}`,
          ];
    case 'kernel':
    case 'note':
    case 'end':
      return [];
  }
}

function factOf(line: GuestLine): readonly string[] {
  switch (line.kind) {
    case 'program': {
      if (line.error !== undefined) return [];
      const share = ((100 * line.examined) / MOST_EXAMINED).toFixed(1);
      return [
        `${line.program}: ${line.instructions} instructions, ${line.examined} examined (${share} % of the limit)`,
      ];
    }
    case 'feature':
      return [`${line.name}: ${presence(line.has)}${line.message === undefined ? '' : `: ${line.message}`}`];
    case 'note':
      return [line.text];
    case 'kernel':
    case 'test':
    case 'end':
      return [];
  }
}

function presence(has: boolean): string {
  return has ? 'present' : 'absent';
}

function countsOf(lines: readonly GuestLine[]): string {
  const count = (kind: GuestLine['kind']) => lines.filter((line) => line.kind === kind).length;
  const ms = lines.find((line) => line.kind === 'end')?.ms;
  const time = ms === undefined ? '' : `, ${Math.round(ms / 1000)} s of tests`;
  return `${count('program')} programs, ${count('feature')} features, ${count('test')} tests${time}`;
}
