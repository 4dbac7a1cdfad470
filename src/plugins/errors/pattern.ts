/**
 * Operators' regular expressions, in RE2's dialect and its linear time (dns-server 10 item 2), since texts that clients
 * can influence are matched. The only file here that knows the library, which is loaded when a pattern is used.
 */
import { createRequire } from 'node:module';

export interface Pattern {
  /** Whether it occurs anywhere in `text`. */
  test(text: string): boolean;
}

/** Throws the library's own error, whose text tells what is wrong. */
export function compilePattern(source: string): Pattern {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
  const compiled = RE2JS.compile(source);
  return { test: (text) => compiled.matcher(text).find() };
}
