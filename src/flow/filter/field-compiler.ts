/** What a field of a filter is compiled with: its values are checked when the request comes in, and any of them may match. */
import { fail, ok, type Result } from '../../fault/result.ts';
import type { Flow } from '../api.ts';

export type FlowPredicate = (flow: Flow) => boolean;
export type Compiled = Result<FlowPredicate>;
export type FieldCompiler = (value: unknown) => Compiled;
/** The end of a flow that a field is about. */
export type Side = 'source' | 'destination';

const MAX_VALUES = 1024;

export function invalid(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_FILTER_INVALID', undefined, reason);
}

/** A list field: every value compiled by `one`, any may match. */
export function anyOf<T>(
  check: (value: unknown) => value is T,
  one: (value: T) => Compiled,
): (value: unknown) => Compiled {
  return (values) => {
    if (!Array.isArray(values)) return invalid('expected a list');
    if (values.length > MAX_VALUES) return invalid(`more than ${MAX_VALUES} values`);
    const predicates: FlowPredicate[] = [];
    for (const value of values) {
      const compiled = check(value) ? one(value) : invalid(`cannot read ${JSON.stringify(value)}`);
      if (!compiled.ok) return compiled;
      predicates.push(compiled.value);
    }
    return ok((flow) => predicates.some((matches) => matches(flow)));
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isTextOrCount = (value: unknown): value is string | number => isText(value) || isCount(value);

export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
export const isCount = (value: unknown): value is number => Number.isInteger(value);
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const text = (one: (value: string) => Compiled): FieldCompiler => anyOf(isText, one);

export const textOrCount = (one: (value: string | number) => Compiled): FieldCompiler =>
  anyOf(isTextOrCount, one);

export const equal = (pick: (flow: Flow) => string | undefined): FieldCompiler =>
  text((value) => ok((flow) => pick(flow) === value));

/** An enum's word or number (protobuf's JSON mapping takes either); the flow has the word. */
export function word(
  what: string,
  words: ReadonlyMap<number, string>,
  pick: (flow: Flow) => string | undefined,
): FieldCompiler {
  const known = new Set(words.values());
  return textOrCount((value) => {
    const asked = typeof value === 'number' ? words.get(value) : value;
    if (asked === undefined || !known.has(asked)) return invalid(`${JSON.stringify(value)} is not ${what}`);
    return ok((flow) => pick(flow) === asked);
  });
}
