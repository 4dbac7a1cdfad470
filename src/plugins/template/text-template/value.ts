/**
 * What expressions in templates give, after Go's kinds: integers are `bigint`, floats `number`, maps `Map`, structs
 * `Struct`, methods functions; `undefined` is no value.
 */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | undefined
  | readonly Value[]
  | ReadonlyMap<string, Value>
  | Struct
  | Method;

export type Method = (args: readonly Value[]) => Value;

/** Has the fields it has, and asking for another one is an error; a map just has no value there. */
export class Struct {
  /** Go's name of the type, for errors. */
  readonly type: string;
  readonly #fields: Readonly<Record<string, Value>>;

  constructor(type: string, fields: Readonly<Record<string, Value>>) {
    this.type = type;
    this.#fields = fields;
  }

  has(field: string): boolean {
    return Object.hasOwn(this.#fields, field);
  }

  get(field: string): Value {
    return this.#fields[field];
  }

  values(): readonly Value[] {
    return Object.values(this.#fields);
  }
}

/** A template that cannot go on. Thrown within this folder only; `Template.execute` makes a value of it. */
export class TemplateHalt extends Error {}

/** Go's truth: not false, zero, empty or absent. */
export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return value instanceof Struct || Boolean(value);
}

/** As `print` and `%v` write it. */
export function formatValue(value: Value): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '<nil>';
  if (typeof value === 'number') return formatFloat(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (isList(value)) return `[${value.map(formatValue).join(' ')}]`;
  if (value instanceof Map) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map(([key, item]) => `${key}:${formatValue(item)}`).join(' ')}]`;
  }
  if (value instanceof Struct) return `{${value.values().map(formatValue).join(' ')}}`;
  throw new TemplateHalt(`can't print a function`);
}

/** As Go's %v: the shortest text, with an exponent from 1e21 on and below 1e-4. */
export function formatFloat(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

export function typeOf(value: Value): string {
  if (value === undefined) return 'nil';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (isList(value)) return '[]string';
  if (value instanceof Struct) return value.type;
  return value instanceof Map ? 'map[string]string' : 'func';
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
