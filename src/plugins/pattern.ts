/**
 * Operators' regular expressions, in RE2's dialect and its linear time (dns-server 10 item 2), since clients choose the
 * names they run over. The only file of the plugins that knows the library, which is loaded when a pattern is used.
 */
import { createRequire } from 'node:module';

export interface Pattern {
  /** How many groups it captures, the whole match not counted. */
  readonly groupCount: number;
  /** Names of groups and their places in a match. */
  readonly groupNames: ReadonlyMap<string, number>;
  /** Whether it occurs anywhere in `text`. */
  test(text: string): boolean;
  /** The whole match and the groups of the first place where it occurs; groups that took no part are empty. */
  match(text: string): readonly string[] | undefined;
}

/** Throws the library's own error, whose text tells what is wrong. */
export function compilePattern(source: string): Pattern {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js');
  const compiled = RE2JS.compile(source);
  const groupCount = compiled.groupCount();
  return {
    groupCount,
    groupNames: new Map(Object.entries(compiled.namedGroups())),
    test: (text) => compiled.matcher(text).find(),
    match(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      return Array.from({ length: groupCount + 1 }, (_, i) => matcher.group(i) ?? '');
    },
  };
}
