/** `dns_query` patterns: RE2, because names come from clients and patterns from operators. The one user of re2js here. */
import { RE2JS } from 're2js';
import { errorText } from '../fault/app-error.ts';
import { fail, ok, type Result } from '../fault/result.ts';

/** Not anchored; matches on the name with its trailing dot. */
export function compileDnsQuery(pattern: string): Result<(name: string) => boolean> {
  try {
    const compiled = RE2JS.compile(pattern);
    return ok((name) => compiled.matcher(name).find());
  } catch (error) {
    return fail('FLOW_FILTER_INVALID', undefined, `${JSON.stringify(pattern)}: ${errorText(error)}`);
  }
}
