/**
 * The lines that `$GENERATE` stands for: `1-20/2 host-$ A 10.0.0.${4,3,d}`, as BIND reads it. Deliberately absent: nibble
 * notation (`n`), which CoreDNS has not either.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import type { ZonefileErrorCode } from './errors.ts';

/** A reverse zone of a /16. What a typing error would make of a range must not fill the memory. */
export const MAX_GENERATED = 65_536;
const MAX_NUMBER = 2 ** 31 - 1;
const MAX_WIDTH = 255;
const RANGE = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/;
const PLACE = /\\(.)|\$\$|\$(?:\{([^}]*)\})?/gs;
const MODIFIER = /^([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxX]))?)?$/;
const RADIX: Readonly<Record<string, number>> = { d: 10, o: 8, x: 16, X: 16 };

/** One text for each number of the range; a failure is the last that is yielded. */
export function* expandGenerate(range: string, template: string): Generator<Result<string>, void> {
  const [, first = '', last = '', by = '1'] = RANGE.exec(range) ?? [];
  const [start, stop, step] = [Number(first), Number(last), Number(by)];
  if (first === '' || stop < start || stop > MAX_NUMBER || step < 1) {
    yield refuse(`a range START-STOP or START-STOP/STEP is expected: received '${range.slice(0, 64)}'`);
    return;
  }
  if ((stop - start) / step >= MAX_GENERATED) {
    yield refuse(`at most ${MAX_GENERATED} records are made of one line: received '${range}'`);
    return;
  }
  for (let number = start; number <= stop; number += step) {
    const text = fillIn(template, number);
    if (text === undefined) {
      yield refuse('{OFFSET,WIDTH,BASE} is expected behind the dollar sign, with base d, o, x or X');
      return;
    }
    yield ok(text);
  }
}

/** `\$` and `$$` are a dollar sign; other escapes stay, for the record's own reader. */
function fillIn(template: string, number: number): string | undefined {
  let isWrong = false;
  const text = template.replace(PLACE, (whole: string, escaped?: string, modifier?: string) => {
    if (escaped !== undefined) return escaped === '$' ? '$' : whole;
    if (whole === '$$') return '$';
    const shown = formatNumber(number, modifier ?? '0');
    isWrong ||= shown === undefined;
    return shown ?? '';
  });
  return isWrong ? undefined : text;
}

function formatNumber(number: number, modifier: string): string | undefined {
  const [, offset, width = '0', base = 'd'] = MODIFIER.exec(modifier) ?? [];
  const value = number + Number(offset ?? Number.NaN);
  if (!(value >= 0 && value <= MAX_NUMBER) || Number(width) > MAX_WIDTH) return undefined;
  const digits = value.toString(RADIX[base]).padStart(Number(width), '0');
  return base === 'X' ? digits.toUpperCase() : digits;
}

function refuse(reason: string): Result<string> {
  return fail('ZONE_GENERATE' satisfies ZonefileErrorCode, 0, reason);
}
