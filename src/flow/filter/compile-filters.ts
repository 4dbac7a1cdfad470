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
  const predicates: FlowPredicate[] = [];
  for (const filter of filters) {
    const compiled = compileFilter(filter);
    if (!compiled.ok) return compiled;
    predicates.push(compiled.value);
  }
  return ok(predicates);
}

function countPatterns(filter: unknown): number {
  if (!isRecord(filter)) return 0;
  const lists = PATTERN_FIELDS.map((field) => filter[field]);
  return lists.reduce((sum: number, list) => sum + (Array.isArray(list) ? list.length : 0), 0);
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
