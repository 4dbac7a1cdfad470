/**
 * Patterns of requests: RE2, because a pattern comes from whoever reaches the socket. RE2 takes time by the length of the
 * pattern times that of the text, never more; so the length is bounded, with repetitions written out. The one user of
 * re2js here.
 */
import { RE2JS } from 're2js';
import { errorText } from '../../fault/app-error.ts';
import { fail, ok, type Result } from '../../fault/result.ts';

const MAX_CHARACTERS = 512;
/** Characters times repetitions: `[a-z]{1000}` is in, a thousand times something long is not. Milliseconds to compile. */
export const MAX_EXPANDED = 16_384;
/** Measured: a name of 255 characters takes about a millisecond through that many. */
const MAX_INSTRUCTIONS = 1024;

export type TextPredicate = (text: string) => boolean;

/** Not anchored. */
export function compileRegexp(pattern: string): Result<TextPredicate> {
  if (pattern.length > MAX_CHARACTERS) {
    return refuse(`a pattern has at most ${MAX_CHARACTERS} characters: received ${pattern.length}`);
  }
  if (expandedLength(pattern) > MAX_EXPANDED) return refuse(`${quote(pattern)} repeats too much`);
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > MAX_INSTRUCTIONS) return refuse(`${quote(pattern)} is too large`);
    return ok((text) => compiled.matcher(text).find());
  } catch (error) {
    return refuse(`${quote(pattern)}: ${errorText(error)}`);
  }
}

/** What a pattern costs to compile and to keep, in characters. */
export function expandedLength(pattern: string): number {
  return pattern.length * (1 + repetitions(pattern));
}

/** All counts in braces together. */
function repetitions(pattern: string): number {
  let sum = 0;
  for (const [, count] of pattern.matchAll(/(\d+)\}/g)) sum += Number(count);
  return sum;
}

function refuse(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_FILTER_INVALID', undefined, reason);
}

function quote(pattern: string): string {
  return JSON.stringify(pattern);
}
