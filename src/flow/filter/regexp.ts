/** Patterns of requests: RE2, because a pattern comes from whoever reaches the socket. The one user of re2js here. */
import { RE2JS } from 're2js';
import { errorText } from '../../fault/app-error.ts';
import { fail, ok, type Result } from '../../fault/result.ts';

/** Longer ones are nobody's: their compiled form would be ours to hold. */
const MAX_PATTERN_CHARACTERS = 1024;

export type TextPredicate = (text: string) => boolean;

/** Not anchored. */
export function compileRegexp(pattern: string): Result<TextPredicate> {
  if (pattern.length > MAX_PATTERN_CHARACTERS) {
    const reason = `a pattern has at most ${MAX_PATTERN_CHARACTERS} characters: received ${pattern.length}`;
    return fail('FLOW_FILTER_INVALID', undefined, reason);
  }
  try {
    const compiled = RE2JS.compile(pattern);
    return ok((text) => compiled.matcher(text).find());
  } catch (error) {
    return fail('FLOW_FILTER_INVALID', undefined, `${JSON.stringify(pattern)}: ${errorText(error)}`);
  }
}
