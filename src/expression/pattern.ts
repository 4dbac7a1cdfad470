/**
 * Regular expressions of `matches`, in RE2's dialect and its linear time (dns-server 10 item 2), since texts that clients
 * send are matched. The only file here that knows the library, which is loaded when a pattern is used.
 */
import { createRequire } from 'node:module';

/** Whether the pattern occurs anywhere in the text. Throws the library's own error when it is none. */
export function compilePattern(source: string): (text: string) => boolean {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
  const compiled = RE2JS.compile(source);
  return (text) => compiled.matcher(text).find();
}
