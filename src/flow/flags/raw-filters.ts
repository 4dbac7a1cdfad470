/** `--allowlist` and `--denylist` as JSON, and `--print-raw-filters`: the filters of a request in the stock CLI's YAML. */
import { fail, ok, type Result } from '../../fault/result.ts';
import type { FlowFilter, GetFlowsRequest } from '../api.ts';
import { compileFilter } from '../filter/compile-filters.ts';
import { escapeSteering } from '../print/escape.ts';

/** One text may hold several objects, one after the other. */
export function parseRawFilters(texts: readonly string[], flag: string): Result<readonly FlowFilter[]> {
  const filters: FlowFilter[] = [];
  for (const text of texts) {
    for (const part of objectsOf(text)) {
      const filter = parseFilter(part);
      if (!filter.ok) {
        const reason = `--${flag} ${JSON.stringify(part)}: ${filter.reason ?? filter.code}`;
        return fail(filter.code, undefined, reason);
      }
      filters.push(filter.value);
    }
  }
  return ok(filters);
}

function parseFilter(text: string): Result<FlowFilter> {
  let filter: unknown;
  try {
    filter = JSON.parse(text);
  } catch {
    return fail('FLOW_REQUEST_INVALID', undefined, 'not the JSON of a filter');
  }
  const checked = checkFilter(filter);
  return checked.ok ? ok(filter as FlowFilter) : checked;
}

/** All but expressions, which a server of Cilium's may well understand. */
export function checkFilter(filter: unknown): Result<unknown> {
  if (typeof filter !== 'object' || filter === null) return compileFilter(filter);
  return compileFilter({ ...filter, experimental: undefined });
}

/** Cuts where one top-level object ends; braces in strings do not count. What is left over is one part more. */
function objectsOf(text: string): readonly string[] {
  const parts: string[] = [];
  let [depth, start, inString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) {
      parts.push(text.slice(start, at + 1));
      start = at + 1;
    }
  }
  const rest = text.slice(start);
  return rest.trim() === '' && parts.length > 0 ? parts : [...parts, rest];
}

/** Can be kept as a configuration file of the stock CLI; what it has no words for stands in a comment. */
export function formatRawFilters({ whitelist = [], blacklist = [], narrow }: GetFlowsRequest): string {
  const lists = `${yamlList('allowlist', whitelist)}${yamlList('denylist', blacklist)}`;
  const own = narrow === undefined ? '' : `# narrow: ${escapeSteering(JSON.stringify(narrow))}\n`;
  return `${lists === '' ? '{}\n' : lists}${own}`;
}

function yamlList(name: string, filters: readonly FlowFilter[]): string {
  if (filters.length === 0) return '';
  const items = filters.map((filter) => escapeSteering(JSON.stringify(filter)).replaceAll("'", "''"));
  return `${name}:\n${items.map((item) => `    - '${item}'\n`).join('')}`;
}
