/**
 * Reading a directive's arguments and options, in the words CoreDNS uses when it refuses them (dns-server 1.7), since
 * operators search for those words. Every refusal names the plugin, the file and the line. Deliberately absent: any
 * knowledge of a particular plugin, and default values, which stand in each plugin's own setup.
 */
import type { Directive, Token } from '../corefile/ast.ts';
import { AppError } from '../fault/app-error.ts';
import type { PluginErrorCode } from './errors.ts';

/** A directive or an option line: a word and what follows it. */
export interface Line {
  readonly name: Token;
  readonly args: readonly Token[];
}

/** An error to throw: `plugin/forward: Corefile:3 - Error during parsing: <reason>`. */
export function wrongDirective(
  plugin: string,
  at: Token,
  reason: string,
  options: { code?: PluginErrorCode; hint?: string } = {},
): AppError {
  const text = `plugin/${plugin}: ${at.file}:${at.line} - Error during parsing: ${reason}`;
  const hint = options.hint ?? `See line ${at.line}, column ${at.column}`;
  return new AppError(options.code ?? 'PLUGIN_BAD_VALUE', text, { hint });
}

/** The directive of a plugin that may stand only once per server block. */
export function onlyDirective(directives: readonly Directive[]): Directive {
  const [first, second] = directives;
  if (first === undefined) throw new Error('Cannot set up a plugin: it has no directive');
  if (second === undefined) return first;
  const reason = 'this plugin can only be used once per Server Block';
  throw new AppError('PLUGIN_REPEATED', `plugin/${second.name.text}: ${reason}`, {
    hint: `It stands at ${first.name.file}:${first.name.line} and at ${second.name.file}:${second.name.line}`,
  });
}

/** Between `min` and `max` arguments, both inclusive; gives them back for destructuring. */
export function expectArgs(plugin: string, line: Line, min: number, max: number = min): readonly Token[] {
  if (line.args.length >= min && line.args.length <= max) return line.args;
  const last = line.args.length > max ? line.args[max] : line.args.at(-1);
  const after = last ?? line.name;
  const reason = `Wrong argument count or unexpected line ending after '${after.text}'`;
  const wanted =
    max === Number.POSITIVE_INFINITY ? `at least ${min}` : min === max ? `${min}` : `${min} to ${max}`;
  throw wrongDirective(plugin, after, reason, {
    code: 'PLUGIN_ARGUMENT_COUNT',
    hint: `'${line.name.text}' takes ${wanted} argument${wanted === '1' ? '' : 's'}`,
  });
}

/** The one argument of a line that takes exactly one. */
export function onlyArg(plugin: string, line: Line): Token {
  return expectArgs(plugin, line, 1)[0] ?? line.name;
}

/** Refuses a `{ … }` body, for directives that have none; an empty one is fine. */
export function expectNoOptions(plugin: string, directive: Directive): void {
  const [option] = directive.body ?? [];
  if (option !== undefined) throw unknownProperty(plugin, option.name, []);
}

/** An error to throw for an option nobody knows; `known` goes into the hint. */
export function unknownProperty(plugin: string, option: Token, known: readonly string[]): AppError {
  const hint = known.length === 0 ? 'The plugin takes no options' : `The options are: ${known.join(', ')}`;
  return wrongDirective(plugin, option, `unknown property '${option.text}'`, {
    code: 'PLUGIN_UNKNOWN_OPTION',
    hint,
  });
}

/** An error to throw for what CoreDNS has and this server has not: refused by name, never ignored. */
export function unsupportedProperty(plugin: string, option: Token): AppError {
  return wrongDirective(plugin, option, `property '${option.text}' is not supported by this server`, {
    code: 'PLUGIN_UNSUPPORTED_OPTION',
  });
}

/** Decimal integer as Go's `strconv.Atoi` takes it: sign and leading zeros yes, blanks and `_` no. */
export function parseInteger(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** An integer argument within `min` to `max`, both inclusive. */
export function integerArg(
  plugin: string,
  token: Token,
  { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {},
): number {
  const value = parseInteger(token.text);
  if (value === undefined) throw wrongDirective(plugin, token, `invalid integer: ${quote(token.text)}`);
  if (value >= min && value <= max) return value;
  const bounds = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `between ${min} and ${max}`;
  throw wrongDirective(plugin, token, `value must be ${bounds}: received ${value}`);
}

const NANOSECONDS = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 } as const;
const DURATION_PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
/** Go keeps durations in a signed 64-bit count of nanoseconds: some 292 years. */
const LONGEST_NS = 2 ** 63 - 1;

/** Go's duration text (`500ms`, `1h30m`, `1.5s`, `-5s`, plain `0`) in milliseconds; nothing else has a default unit. */
export function parseDurationMs(text: string): number | undefined {
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  const rest = text.slice(sign.length);
  if (rest === '0') return 0;
  let total = 0;
  let end = 0;
  while (end < rest.length) {
    DURATION_PART.lastIndex = end;
    const part = DURATION_PART.exec(rest);
    if (part === null) return undefined;
    total += Number(part[1]) * NANOSECONDS[part[2] as keyof typeof NANOSECONDS];
    end = DURATION_PART.lastIndex;
  }
  if (end === 0 || total > LONGEST_NS) return undefined;
  return (sign === '-' ? -total : total) / 1e6;
}

/** Milliseconds as Go prints a duration: `0s`, `500ms`, `1m0s`, `1h0m0.5s`. */
export function formatDuration(ms: number): string {
  const ns = Math.round(Math.abs(ms) * 1e6);
  const sign = ms < 0 && ns > 0 ? '-' : '';
  if (ns === 0) return '0s';
  if (ns < 1e3) return `${sign}${ns}ns`;
  if (ns < 1e6) return `${sign}${ns / 1e3}µs`;
  if (ns < 1e9) return `${sign}${ns / 1e6}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = `${(ns % 60e9) / 1e9}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** A duration argument in milliseconds, not below `minMs`. */
export function durationArg(plugin: string, token: Token, { minMs = 0 }: { minMs?: number } = {}): number {
  const ms = parseDurationMs(token.text);
  if (ms === undefined) {
    throw wrongDirective(plugin, token, durationFault(token.text), {
      hint: 'Durations need a unit: 500ms, 30s, 1h30m',
    });
  }
  if (ms >= minMs) return ms;
  const least = formatDuration(minMs);
  throw wrongDirective(plugin, token, `duration must be at least ${least}: received ${token.text}`);
}

/** The words of Go's `time.ParseDuration`, which operators and their tools know. */
export function durationFault(text: string): string {
  const bare = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text);
  return `time: ${bare ? 'missing unit in' : 'invalid'} duration ${quote(text)}`;
}

/** Go's %q for the texts that occur in a Corefile. */
export function quote(text: string): string {
  return JSON.stringify(text);
}
