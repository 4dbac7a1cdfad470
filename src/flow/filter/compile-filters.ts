/**
 * Which flows a request asks for (spec hubble 6.4): a flow passes if it matches any whitelist filter, or there are none, and
 * no blacklist filter, and what the request narrows it to. Inside a filter every field must match, inside a field any value
 * may. What cannot be matched is refused by name when the request comes in: an ignored field would make people trust a
 * wrong emptiness.
 */
import { fail, ok, type Result } from '../../fault/result.ts';
import type { GetFlowsRequest } from '../api.ts';
import { type Compiled, type FlowPredicate, invalid, isRecord } from './field-compiler.ts';
import { FILTER_FIELDS, isFilterField } from './filter-fields.ts';
import { compileNarrow, type NarrowOptions } from './narrow.ts';
import { expandedLength, MAX_EXPANDED } from './regexp.ts';

const MAX_FILTERS = 64;
/** Values that are compiled to programs which then run over every flow. */
const MAX_PATTERNS = 64;
const PATTERN_FIELDS = ['dns_query', 'source_fqdn', 'destination_fqdn', 'node_name', 'http_path', 'http_url'];

export type FilterRequest = Pick<GetFlowsRequest, 'whitelist' | 'blacklist' | 'narrow'>;

export function compileFilters(request: FilterRequest, options: NarrowOptions = {}): Compiled {
  const allow = compileList(request.whitelist ?? [], 'whitelist');
  if (!allow.ok) return allow;
  const deny = compileList(request.blacklist ?? [], 'blacklist');
  if (!deny.ok) return deny;
  const narrow = compileNarrow(request.narrow ?? {}, options);
  if (!narrow.ok) return narrow;
  const [allowed, denied, within] = [allow.value, deny.value, narrow.value];
  return ok(
    (flow) =>
      (allowed.length === 0 || allowed.some((matches) => matches(flow))) &&
      !denied.some((matches) => matches(flow)) &&
      within(flow),
  );
}

function compileList(filters: unknown, where: string): Result<readonly FlowPredicate[]> {
  if (!Array.isArray(filters)) return invalid(`${where} is a list of filters`);
  if (filters.length > MAX_FILTERS) return invalid(`${where} has more than ${MAX_FILTERS} filters`);
  const patterns = filters.reduce((sum: number, filter: unknown) => sum + countPatterns(filter), 0);
  if (patterns > MAX_PATTERNS) return invalid(`${where} has more than ${MAX_PATTERNS} patterns`);
  // A hundred streams of such requests are kept at once, and nobody is served while one is compiled.
  if (filters.reduce((sum: number, filter: unknown) => sum + patternsLength(filter), 0) > MAX_EXPANDED)
    return invalid(`${where} has longer patterns than ${MAX_EXPANDED} characters, repetitions written out`);
  const predicates: FlowPredicate[] = [];
  for (const filter of filters) {
    const compiled = compileFilter(filter);
    if (!compiled.ok) return compiled;
    predicates.push(compiled.value);
  }
  return ok(predicates);
}

function countPatterns(filter: unknown): number {
  return patternsOf(filter).length;
}

/** Without those that are refused by themselves, with a better word. */
function patternsLength(filter: unknown): number {
  const lengths = patternsOf(filter).map((each) => (typeof each === 'string' ? expandedLength(each) : 0));
  return lengths.reduce((sum, length) => sum + (length > MAX_EXPANDED ? 0 : length), 0);
}

function patternsOf(filter: unknown): readonly unknown[] {
  if (!isRecord(filter)) return [];
  return PATTERN_FIELDS.flatMap((field) => (Array.isArray(filter[field]) ? filter[field] : []));
}

/** One filter: all its fields must match; an empty field is as good as an absent one (proto3). */
export function compileFilter(filter: unknown): Compiled {
  if (typeof filter !== 'object' || filter === null) return invalid('a filter is an object');
  const predicates: FlowPredicate[] = [];
  for (const [field, value] of Object.entries(filter)) {
    if (!isFilterField(field)) return unknownField(field);
    if (value === undefined || value === null) continue;
    const compiled = FILTER_FIELDS[field](value);
    if (!compiled.ok) return { ...compiled, reason: `${field}: ${compiled.reason ?? compiled.code}` };
    if (!(Array.isArray(value) && value.length === 0)) predicates.push(compiled.value);
  }
  return ok((flow) => predicates.every((matches) => matches(flow)));
}

function unknownField(field: string): ReturnType<typeof fail> {
  const known = Object.keys(FILTER_FIELDS).join(' ');
  return fail('FLOW_FILTER_UNKNOWN_FIELD', undefined, `${JSON.stringify(field)} is not one of: ${known}`);
}
