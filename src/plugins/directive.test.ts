import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Directive, Token } from '../corefile/ast.ts';
import { AppError } from '../fault/app-error.ts';
import {
  durationArg,
  expectArgs,
  expectNoOptions,
  formatDuration,
  integerArg,
  onlyDirective,
  parseDurationMs,
  parseInteger,
  unknownProperty,
  unsupportedProperty,
} from './directive.ts';

function token(text: string, line = 3): Token {
  return { text, file: 'Corefile', line, column: 5, quoted: false };
}

function thrown(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('parseDurationMs', () => {
  const cases: [name: string, text: string, ms: number | undefined][] = [
    ['seconds', '30s', 30_000],
    ['a sum', '1h30m', 5_400_000],
    ['a fraction', '1.5s', 1500],
    ['a fraction without an integer part', '.5s', 500],
    ['nothing needs no unit', '0', 0],
    ['negative', '-5s', -5000],
    ['microseconds', '250us', 0.25],
    ['microseconds with the micro sign', '250µs', 0.25],
    ['a bare number', '30', undefined],
    ['an unknown unit', '1d', undefined],
    ['a blank', '1 s', undefined],
    ['nothing at all', '', undefined],
    ['only a sign', '-', undefined],
    ['more than 64 bits of nanoseconds', '2562048h', undefined],
  ];
  it.each(cases)('%s', (_name, text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it('reads back what formatDuration prints', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), (ms) => {
        expect(parseDurationMs(formatDuration(ms))).toBeCloseTo(ms, 6);
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [5000, '5s'],
    [60_000, '1m0s'],
    [3_600_000, '1h0m0s'],
    [500, '500ms'],
    [0, '0s'],
    [1500, '1.5s'],
  ])('prints %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('parseInteger', () => {
  it.each([
    ['+5', 5],
    ['007', 7],
    ['-1', -1],
    ['1_000', undefined],
    [' 1', undefined],
    ['1.0', undefined],
    ['0x10', undefined],
    ['99999999999999999999', undefined],
  ])('%s', (text, value) => {
    expect(parseInteger(text)).toBe(value);
  });
});

describe('refusals', () => {
  it('name plugin, file and line of an option nobody knows, and list the options there are', () => {
    const error = unknownProperty('forward', token('excpt', 7), ['except', 'expire']);
    expect(error.message).toBe("plugin/forward: Corefile:7 - Error during parsing: unknown property 'excpt'");
    expect(error.hint).toContain('except, expire');
  });

  it('name an option that CoreDNS has and this server has not', () => {
    expect(unsupportedProperty('forward', token('tls')).message).toContain("'tls'");
  });

  it('say after which token an argument is missing or too much', () => {
    const few = thrown(() => expectArgs('forward', { name: token('expire'), args: [] }, 1));
    expect(few.message).toContain("Wrong argument count or unexpected line ending after 'expire'");
    const many = thrown(() => expectArgs('loop', { name: token('loop'), args: [token('x')] }, 0));
    expect(many.message).toContain("after 'x'");
    expect(many.code).toBe('PLUGIN_ARGUMENT_COUNT');
  });

  it('refuse a plugin that stands twice in a block, in the words of CoreDNS', () => {
    const directive = (line: number): Directive => ({ name: token('errors', line), args: [] });
    const error = thrown(() => onlyDirective([directive(2), directive(5)]));
    expect(error.message).toBe('plugin/errors: this plugin can only be used once per Server Block');
    expect(error.hint).toContain('Corefile:5');
  });

  it('refuse an option block where there is none to have', () => {
    const directive: Directive = { name: token('loop'), args: [], body: [{ name: token('x'), args: [] }] };
    expect(thrown(() => expectNoOptions('loop', directive)).code).toBe('PLUGIN_UNKNOWN_OPTION');
  });

  it('refuse numbers and durations out of bounds', () => {
    expect(thrown(() => integerArg('cache', token('0'), { min: 1 })).message).toContain(
      'at least 1: received 0',
    );
    expect(thrown(() => durationArg('reload', token('1s'), { minMs: 2000 })).message).toContain(
      'at least 2s',
    );
    expect(thrown(() => durationArg('reload', token('5'))).message).toContain(
      'time: missing unit in duration "5"',
    );
  });
});
