/** The kinds of values in expressions, and the functions that a host of the language gives it. */

export type Scalar = string | number | boolean;
export type Value = Scalar | readonly Scalar[];
export type ScalarType = 'string' | 'number' | 'boolean';
export type ValueType =
  | ScalarType
  | 'list of strings'
  | 'list of numbers'
  | 'list of booleans'
  | 'empty list';

export const LIST_OF: Readonly<Record<ScalarType, ValueType>> = {
  string: 'list of strings',
  number: 'list of numbers',
  boolean: 'list of booleans',
};

/** `args` are of the kinds the function declares. Never throws, and costs no more than linear time in its texts. */
export type Call<Input> = (input: Input, args: readonly Value[]) => Scalar;

export interface FunctionSpec<Input> {
  readonly parameters: readonly ScalarType[];
  readonly returns: ScalarType;
  readonly call: Call<Input>;
  /**
   * Asked once, with those arguments that are known beforehand: may give back a call that has its work done already, or
   * throw an Error whose text tells what is wrong with them.
   */
  readonly prepare?: (known: readonly (Value | undefined)[]) => Call<Input> | undefined;
}

/** By name. */
export type FunctionTable<Input> = Readonly<Record<string, FunctionSpec<Input>>>;

export function scalarType(value: Scalar): ScalarType {
  if (typeof value === 'string') return 'string';
  return typeof value === 'number' ? 'number' : 'boolean';
}
