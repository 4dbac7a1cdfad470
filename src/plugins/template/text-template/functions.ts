/**
 * The functions of Go's templates, and CoreDNS's `parseInt`. `and` and `or` stop at the first argument that decides, so
 * they are the evaluator's. A wrong argument halts the template. Deliberately absent, and refused by name: `call`, `html`,
 * `js` and `urlquery`, which no record needs.
 */
import { formatArguments, printf } from './printf.ts';
import { isList, isTrue, TemplateHalt, typeOf, type Value } from './value.ts';

type TemplateFunction = (args: readonly Value[]) => Value;

const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['not', (args) => !isTrue(only('not', args, 1)[0])],
  ['len', (args) => BigInt(lengthOf(only('len', args, 1)[0]))],
  ['index', ([item, ...keys]) => keys.reduce(elementOf, item)],
  ['slice', sliceOf],
  ['print', (args) => formatArguments(args, { spaced: false })],
  ['println', (args) => `${formatArguments(args, { spaced: true })}\n`],
  ['printf', ([format, ...args]) => printf(text('printf', format), args)],
  ['eq', ([first, ...others]) => atLeastOne('eq', others).some((other) => isEqual(first, other))],
  ['ne', (args) => !isEqual(...pair('ne', args))],
  ['lt', (args) => compare(...pair('lt', args)) < 0],
  ['le', (args) => compare(...pair('le', args)) <= 0],
  ['gt', (args) => compare(...pair('gt', args)) > 0],
  ['ge', (args) => compare(...pair('ge', args)) >= 0],
  ['parseInt', parseUnsigned],
]);

export const FUNCTION_NAMES: ReadonlySet<string> = new Set([...FUNCTIONS.keys(), 'and', 'or']);
export const UNSUPPORTED_FUNCTIONS: ReadonlySet<string> = new Set(['call', 'html', 'js', 'urlquery']);

export function callFunction(name: string, args: readonly Value[]): Value {
  const called = FUNCTIONS.get(name);
  if (called === undefined) throw new TemplateHalt(`function ${JSON.stringify(name)} not defined`);
  return called(args);
}

function lengthOf(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (value instanceof Map) return value.size;
  throw new TemplateHalt(`error calling len: len of type ${typeOf(value)}`);
}

/** A map gives an empty text for a key it has not, as Go's zero value; a list has no such thing. */
function elementOf(item: Value, key: Value): Value {
  if (item instanceof Map) return item.get(text('index', key)) ?? '';
  const at = integer('index', key);
  if (at < 0 || at >= lengthOf(item))
    throw new TemplateHalt(`error calling index: index out of range: ${at}`);
  if (typeof item === 'string') return BigInt(Buffer.from(item)[at] ?? 0);
  if (isList(item)) return item[at];
  throw new TemplateHalt(`error calling index: can't index item of type ${typeOf(item)}`);
}

function sliceOf([item, from = 0n, to]: readonly Value[]): Value {
  if (typeof item !== 'string' && !isList(item)) {
    throw new TemplateHalt(`error calling slice: can't slice item of type ${typeOf(item)}`);
  }
  const length = lengthOf(item);
  const start = integer('slice', from);
  const end = to === undefined ? length : integer('slice', to);
  if (start < 0 || end > length || start > end) {
    throw new TemplateHalt(`error calling slice: index out of range: ${start}:${end}`);
  }
  return isList(item) ? item.slice(start, end) : Buffer.from(item).subarray(start, end).toString();
}

function isEqual(a: Value, b: Value): boolean {
  if (typeof a === 'object' || typeof b === 'object' || typeof a === 'function' || typeof b === 'function') {
    throw new TemplateHalt(`error calling eq: non-comparable type ${typeOf(typeof a === 'object' ? a : b)}`);
  }
  if (a !== undefined && b !== undefined && typeof a !== typeof b) {
    throw new TemplateHalt('error calling eq: incompatible types for comparison');
  }
  return a === b;
}

function compare(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const areNumbers =
    (typeof a === 'bigint' && typeof b === 'bigint') || (typeof a === 'number' && typeof b === 'number');
  if (!areNumbers) throw new TemplateHalt('error calling lt: incompatible types for comparison');
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Go's `strconv.ParseUint`: base 2 to 36, or 0 for what the prefix says; at most `bits` bits, 0 for 64. */
function parseUnsigned(args: readonly Value[]): bigint {
  const [digits, base, bits] = only('parseInt', args, 3);
  const source = text('parseInt', digits);
  const radix = integer('parseInt', base);
  const size = integer('parseInt', bits) || 64;
  const wrong = (reason: string) =>
    new TemplateHalt(
      `error calling parseInt: strconv.ParseUint: parsing ${JSON.stringify(source)}: ${reason}`,
    );
  if (size < 1 || size > 64) throw wrong(`invalid bit size ${size}`);
  if (radix !== 0 && (radix < 2 || radix > 36)) throw wrong(`invalid base ${radix}`);
  // No name holds more digits than this; longer texts only cost.
  if (source.length > 255) throw wrong('value out of range');
  const value = radix === 0 ? prefixedInteger(source) : digitsToInteger(source, radix);
  if (value === undefined) throw wrong('invalid syntax');
  if (value >= 1n << BigInt(size)) throw wrong('value out of range');
  return value;
}

function prefixedInteger(source: string): bigint | undefined {
  const [, prefix = '', rest = ''] = /^(0[xX]|0[bB]|0[oO]|0(?=.))?(.*)$/s.exec(source) ?? [];
  const radix = { '': 10, '0x': 16, '0b': 2, '0o': 8, '0': 8 }[prefix.toLowerCase()] ?? 10;
  return digitsToInteger(rest.replace(/(?<=.)_(?=.)/gs, ''), radix);
}

function digitsToInteger(source: string, radix: number): bigint | undefined {
  let value = 0n;
  for (const char of source.toLowerCase()) {
    const digit = '0123456789abcdefghijklmnopqrstuvwxyz'.indexOf(char);
    if (digit < 0 || digit >= radix) return undefined;
    value = value * BigInt(radix) + BigInt(digit);
  }
  return source === '' ? undefined : value;
}

function only(name: string, args: readonly Value[], count: number): readonly Value[] {
  if (args.length === count) return args;
  throw new TemplateHalt(`wrong number of args for ${name}: want ${count} got ${args.length}`);
}

function pair(name: string, args: readonly Value[]): [Value, Value] {
  const [a, b] = only(name, args, 2);
  return [a, b];
}

function atLeastOne(name: string, args: readonly Value[]): readonly Value[] {
  if (args.length > 0) return args;
  throw new TemplateHalt(`error calling ${name}: missing argument for comparison`);
}

function text(name: string, value: Value): string {
  if (typeof value === 'string') return value;
  throw new TemplateHalt(`wrong type for value in ${name}; expected string; got ${typeOf(value)}`);
}

function integer(name: string, value: Value): number {
  if (typeof value === 'bigint') return Number(value);
  throw new TemplateHalt(`wrong type for value in ${name}; expected int; got ${typeOf(value)}`);
}
