/**
 * How rules recognise names and make new ones: `exact`, `prefix`, `suffix`, `substring` compare text, `regex` searches
 * for a pattern (dns-server 3.15). Names are compared in lower case, with the dot at their end.
 */
import type { Token } from '../../corefile/ast.ts';
import { patternArg, replacementArg } from './rule-arguments.ts';

const MATCH_KINDS = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
export type MatchKind = (typeof MATCH_KINDS)[number];

/** The new text, which need be no name; undefined when the name does not match. `name` is in lower case. */
export type Renaming = (name: string) => string | undefined;

export function isMatchKind(text: string): text is MatchKind {
  return MATCH_KINDS.some((kind) => kind === text);
}

/** `rules` says in errors what the pattern is for: `name`, `cname`. */
export function renaming(
  kind: MatchKind,
  { from, to, rules }: { from: Token; to: Token; rules: string },
): Renaming {
  if (kind === 'regex') {
    const pattern = patternArg(from, rules);
    const replacement = replacementArg(to, pattern);
    return (name) => {
      const groups = pattern.match(name);
      return groups && replacement(groups);
    };
  }
  return textRenaming(kind, operand(kind, from), operand(kind, to));
}

/** Whether a name matches, for rules that leave it as it is. */
export function nameTest(kind: MatchKind, from: Token, rules: string): (name: string) => boolean {
  if (kind !== 'regex') {
    const matches = renaming(kind, { from, to: from, rules });
    return (name) => matches(name) !== undefined;
  }
  const pattern = patternArg(from, rules);
  return (name) => pattern.match(name) !== undefined;
}

/** Lower case; whole names and ends of names get their dot. */
export function operand(kind: MatchKind, { text }: Token): string {
  const lower = text.toLowerCase();
  return (kind === 'exact' || kind === 'suffix') && !lower.endsWith('.') ? `${lower}.` : lower;
}

function textRenaming(kind: Exclude<MatchKind, 'regex'>, old: string, fresh: string): Renaming {
  switch (kind) {
    case 'exact':
      return (name) => (name === old ? fresh : undefined);
    case 'prefix':
      return (name) => (name.startsWith(old) ? fresh + name.slice(old.length) : undefined);
    case 'suffix':
      return (name) => (name.endsWith(old) ? name.slice(0, name.length - old.length) + fresh : undefined);
    case 'substring':
      return (name) => (name.includes(old) ? name.replaceAll(old, () => fresh) : undefined);
  }
}
