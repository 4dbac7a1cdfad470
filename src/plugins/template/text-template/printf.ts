/** Go's `fmt` as far as records need it: verbs `%v %s %q %d %x %X %o %b %c %f %e %g %t %%` with flags, width, precision. */
import { formatValue, TemplateHalt, typeOf, type Value } from './value.ts';

/** No record is longer; widths beyond it would only cost memory. */
const MAX_WIDTH = 1024;
const VERB = /%(?<flags>[-+# 0]*)(?<width>\d+)?(?:\.(?<precision>\d*))?(?<verb>.|$)/gsu;

interface Spec {
  readonly left: boolean;
  readonly plus: boolean;
  readonly alternate: boolean;
  readonly zero: boolean;
  readonly width: number;
  readonly precision: number | undefined;
  readonly verb: string;
}

/** What does not fit its verb is written as Go writes it: `%!d(string=x)`. */
export function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  const text = format.replace(VERB, (...match) => {
    const spec = specOf(match.at(-1) as Record<string, string | undefined>);
    if (spec.verb === '%') return '%';
    if (spec.verb === '') return '%!(NOVERB)';
    if (next >= args.length) return `%!${spec.verb}(MISSING)`;
    return pad(formatVerb(args[next++], spec), spec);
  });
  const extra = args.slice(next).map((value) => `${typeOf(value)}=${formatValue(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(', ')})`;
}

/** Go's `Sprint` puts a blank between two operands when neither is text, `Sprintln` between any. */
export function formatArguments(args: readonly Value[], { spaced }: { spaced: boolean }): string {
  return args.reduce<string>((text, value, i) => {
    const isApart = i > 0 && (spaced || (typeof value !== 'string' && typeof args[i - 1] !== 'string'));
    return text + (isApart ? ' ' : '') + formatValue(value);
  }, '');
}

function specOf(groups: Record<string, string | undefined>): Spec {
  const { flags = '', width = '0', precision, verb = '' } = groups;
  if (Number(width) > MAX_WIDTH || Number(precision) > MAX_WIDTH) {
    throw new TemplateHalt(`error calling printf: width beyond ${MAX_WIDTH}`);
  }
  return {
    left: flags.includes('-'),
    plus: flags.includes('+'),
    alternate: flags.includes('#'),
    zero: flags.includes('0') && !flags.includes('-'),
    width: Number(width),
    precision: precision === undefined ? undefined : Number(precision),
    verb,
  };
}

function formatVerb(value: Value, spec: Spec): string {
  const formatted = formatKnown(value, spec);
  return (
    formatted ?? `%!${spec.verb}(${value === undefined ? '<nil>' : `${typeOf(value)}=${formatValue(value)}`})`
  );
}

function formatKnown(value: Value, spec: Spec): string | undefined {
  if (spec.verb === 'v') return formatAny(value, spec);
  if (typeof value === 'bigint') return formatInteger(value, spec);
  if (typeof value === 'number') return formatNumber(value, spec);
  if (typeof value === 'boolean') return spec.verb === 't' ? String(value) : undefined;
  if (typeof value === 'string') return formatText(value, spec);
  return spec.verb === 's' && value !== undefined ? formatValue(value) : undefined;
}

function formatAny(value: Value, spec: Spec): string {
  if (spec.alternate && typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'bigint' ? signed(value, 10, spec) : formatValue(value);
}

function formatText(value: string, { verb, precision }: Spec): string | undefined {
  const text = precision === undefined ? value : [...value].slice(0, precision).join('');
  switch (verb) {
    case 's':
      return text;
    case 'q':
      return JSON.stringify(text);
    case 'x':
      return Buffer.from(text).toString('hex');
    case 'X':
      return Buffer.from(text).toString('hex').toUpperCase();
    default:
      return undefined;
  }
}

function formatInteger(value: bigint, spec: Spec): string | undefined {
  switch (spec.verb) {
    case 'd':
      return signed(value, 10, spec);
    case 'b':
      return signed(value, 2, spec);
    case 'o':
      return signed(value, 8, spec);
    case 'x':
      return signed(value, 16, spec);
    case 'X':
      return signed(value, 16, spec).toUpperCase();
    case 'c':
      return value >= 0n && value <= 0x10ffffn ? String.fromCodePoint(Number(value)) : '\ufffd';
    case 'q':
      return `'${formatInteger(value, { ...spec, verb: 'c' })}'`;
    default:
      return undefined;
  }
}

const PREFIXES: Readonly<Record<number, string>> = { 2: '0b', 8: '0', 16: '0x' };

function signed(value: bigint, radix: number, { plus, alternate, precision }: Spec): string {
  const digits = (value < 0n ? -value : value).toString(radix).padStart(precision ?? 0, '0');
  const sign = value < 0n ? '-' : plus ? '+' : '';
  return `${sign}${alternate ? (PREFIXES[radix] ?? '') : ''}${digits}`;
}

function formatNumber(value: number, { verb, precision, plus }: Spec): string | undefined {
  const sign = plus && value >= 0 ? '+' : '';
  switch (verb) {
    case 'f':
    case 'F':
      return sign + value.toFixed(Math.min(precision ?? 6, 100));
    case 'e':
      return sign + value.toExponential(Math.min(precision ?? 6, 100)).replace(/e([+-])(\d)$/, 'e$10$2');
    case 'g':
      return (
        sign +
        formatValue(
          precision === undefined ? value : Number(value.toPrecision(Math.max(1, Math.min(precision, 100)))),
        )
      );
    default:
      return undefined;
  }
}

/** Zeros go between sign and digits. */
function pad(text: string, { width, left, zero, verb }: Spec): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (left) return text + ' '.repeat(missing);
  if (!zero) return ' '.repeat(missing) + text;
  const sign = verb !== 's' && /^[+-]/.test(text) ? text.charAt(0) : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}
