/** Reading a rule's words, in the words CoreDNS uses when it refuses them. */
import type { Token } from '../../corefile/ast.ts';
import { errorText } from '../../fault/app-error.ts';
import { quote, wrongDirective } from '../directive.ts';
import { compilePattern, type Pattern } from '../pattern.ts';

/** What CoreDNS takes at most, so that a pattern cannot eat the memory. */
const LONGEST_PATTERN = 10_000;
const GROUP = /\{(\d+)\}/g;

/** A rule's words behind its type; `at` stands for them in errors when there are none. */
export interface RuleArguments {
  readonly at: Token;
  readonly args: readonly Token[];
}

export function wrongRule(at: Token, reason: string, hint?: string) {
  return wrongDirective('rewrite', at, reason, hint === undefined ? {} : { hint });
}

/** A pattern for `kind` rules: `name`, `ttl`. */
export function patternArg(token: Token, kind: string): Pattern {
  if (token.text.length > LONGEST_PATTERN) {
    throw wrongRule(
      token,
      `regex pattern too long in a ${kind} rule: ${token.text.length} > ${LONGEST_PATTERN}`,
    );
  }
  try {
    return compilePattern(token.text);
  } catch (error) {
    throw wrongRule(
      token,
      `invalid regex pattern in a ${kind} rule: ${quote(token.text)}: ${errorText(error)}`,
    );
  }
}

/** Text with `{1}` for what the first group caught. Throws when it names a group that the pattern has not. */
export function replacementArg(token: Token, pattern: Pattern): (groups: readonly string[]) => string {
  const text = token.text.toLowerCase();
  const highest = Math.max(0, ...Array.from(text.matchAll(GROUP), ([, digits]) => Number(digits)));
  if (highest > pattern.groupCount) {
    throw wrongRule(
      token,
      `the replacement uses group {${highest}}, but the regex pattern has ${pattern.groupCount}: ${quote(token.text)}`,
    );
  }
  return (groups) => text.replace(GROUP, (_, digits: string) => groups[Number(digits)] ?? '');
}
