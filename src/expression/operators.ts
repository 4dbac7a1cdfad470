/** What operators take and do. Each knows its kinds and says in words why others do not fit. */
import type { BinaryOperator } from './ast.ts';
import type { ScalarType, Value, ValueType } from './value.ts';

export interface Operation {
  readonly type: ScalarType;
  /** Both sides are of the kinds that were asked about. */
  readonly apply: (left: Value, right: Value) => Value;
}

const ARITHMETIC: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => number>>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '**': (a, b) => a ** b,
};

const ORDER: Readonly<Partial<Record<BinaryOperator, (a: Value, b: Value) => boolean>>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

const TEXT: Readonly<Partial<Record<BinaryOperator, (a: string, b: string) => boolean>>> = {
  contains: (a, b) => a.includes(b),
  startsWith: (a, b) => a.startsWith(b),
  endsWith: (a, b) => a.endsWith(b),
};

const SCALARS: readonly ValueType[] = ['string', 'number', 'boolean'] satisfies ScalarType[];

/** Undefined when the operator does not take values of these kinds. `and`, `or`, `in` and `matches` are not asked for. */
export function operation(
  operator: BinaryOperator,
  left: ValueType,
  right: ValueType,
): Operation | undefined {
  if (left !== right) return undefined;
  if (operator === '==' || operator === '!=') {
    if (!SCALARS.includes(left)) return undefined;
    return { type: 'boolean', apply: operator === '==' ? (a, b) => a === b : (a, b) => a !== b };
  }
  const order = ORDER[operator];
  if (order !== undefined && left !== 'boolean') {
    return SCALARS.includes(left) ? { type: 'boolean', apply: order } : undefined;
  }
  const text = TEXT[operator];
  if (text !== undefined && left === 'string') {
    return { type: 'boolean', apply: (a, b) => text(String(a), String(b)) };
  }
  if (operator === '+' && left === 'string') {
    return { type: 'string', apply: (a, b) => `${String(a)}${String(b)}` };
  }
  const arithmetic = ARITHMETIC[operator];
  if (arithmetic === undefined || left !== 'number') return undefined;
  return { type: 'number', apply: (a, b) => arithmetic(Number(a), Number(b)) };
}
