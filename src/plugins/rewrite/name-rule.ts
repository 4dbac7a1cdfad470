/**
 * `name [MATCH] FROM TO [answer auto | answer name RE TO | answer value RE TO]…` (dns-server 3.15): asks for another
 * name, and may give the answer the name that was asked for.
 */
import type { Token } from '../../corefile/ast.ts';
import { canonicalName, type Name, parseName } from '../../dns/name.ts';
import { isMatchKind, type MatchKind, operand, renaming } from './name-match.ts';
import { mapRecords, withDataName, withOwner } from './record-names.ts';
import { withQuestion } from './rewritten-query.ts';
import type { Apply, ResponseRule } from './rule.ts';
import { patternArg, type RuleArguments, replacementArg, wrongRule } from './rule-arguments.ts';

/** What a name in the answer becomes; the same when there is nothing to change. */
type Rename = (name: Name) => Name;
/** Made for each query: what it maps back depends on the names. */
type AnswerRule = (asked: string, rewritten: string) => ResponseRule;

export function nameRule({ at, args }: RuleArguments): Apply {
  const { kind, from, to, answers } = nameArguments(at, args);
  const rename = renaming(kind, { from, to, rules: 'name' });
  const answerRules = parseAnswers(answers, { kind, from, to });
  return (query) => {
    const asked = canonicalName(query.question.name);
    const text = rename(asked);
    if (text === undefined) return undefined;
    const name = parseName(text.toLowerCase());
    if (name === undefined) return { invalidName: text };
    const responses = answerRules.map((rule) => rule(asked, name));
    return { query: withQuestion(query, { name }), responses };
  };
}

function nameArguments(at: Token, args: readonly Token[]) {
  const [first, second, third, ...answers] = args;
  if (first === undefined || second === undefined) throw wrongRule(at, 'too few arguments for a name rule');
  if (third === undefined) return { kind: 'exact' as const, from: first, to: second, answers };
  const kind = first.text.toLowerCase();
  if (isMatchKind(kind)) return { kind, from: second, to: third, answers };
  // Without a kind it is an exact match, and what follows the two names must be about the answer.
  if (third.text.toLowerCase() !== 'answer') {
    throw wrongRule(
      first,
      `a name rule supports only exact, prefix, suffix, substring, and regex name matching, received: ${first.text}`,
    );
  }
  return { kind: 'exact' as const, from: first, to: second, answers: [third, ...answers] };
}

interface NameRewrite {
  readonly kind: MatchKind;
  readonly from: Token;
  readonly to: Token;
}

function parseAnswers(words: readonly Token[], rewrite: NameRewrite): readonly AnswerRule[] {
  const rules: AnswerRule[] = [];
  const seen = { auto: rewrite.kind === 'exact', name: false };
  for (let i = 0; i < words.length; ) {
    const [answer, what, from, to] = words.slice(i, i + 4);
    if (answer === undefined) break;
    if (answer.text.toLowerCase() !== 'answer')
      throw wrongRule(answer, `exceeded the number of arguments for a name rule: ${answer.text}`);
    const field = what?.text.toLowerCase();
    if (field === 'auto') {
      seen.auto = true;
      i += 2;
      if (seen.name) throw wrongRule(answer, 'a name rule cannot combine answer auto with answer name');
      continue;
    }
    if (field !== 'name' && field !== 'value') {
      throw wrongRule(
        what ?? answer,
        'an answer rule must be one of: answer auto, answer name, answer value',
      );
    }
    if (from === undefined || to === undefined)
      throw wrongRule(what ?? answer, `too few arguments for answer ${field}`);
    if (field === 'name' && seen.auto && rewrite.kind !== 'exact') {
      throw wrongRule(answer, 'a name rule cannot combine answer auto with answer name');
    }
    seen.name ||= field === 'name';
    rules.push(explicitRule(field, from, to));
    i += 4;
  }
  return seen.auto ? [...rules, automaticRule(rewrite)] : rules;
}

function explicitRule(field: 'name' | 'value', from: Token, to: Token): AnswerRule {
  const pattern = patternArg(from, `answer ${field}`);
  const replacement = replacementArg(to, pattern);
  const rename: Rename = (name) => {
    const groups = pattern.match(name);
    return (groups && parseName(replacement(groups))) ?? name;
  };
  const change = field === 'name' ? withOwner : withDataName;
  return () => (message) => mapRecords(message, (record) => change(record, rename));
}

/** Ends of names are exchanged back; otherwise the new name, and what is below it, becomes the one that was asked. */
function automaticRule({ kind, from, to }: NameRewrite): AnswerRule {
  return (asked, rewritten) => {
    const rename =
      kind === 'suffix' ? swapEnds(operand(kind, to), operand(kind, from)) : mapBack(rewritten, asked);
    return (message) => mapRecords(message, (record) => withOwner(withDataName(record, rename), rename));
  };
}

function swapEnds(old: string, fresh: string): Rename {
  return (name) =>
    canonicalName(name).endsWith(old)
      ? (parseName(name.slice(0, name.length - old.length) + fresh) ?? name)
      : name;
}

function mapBack(old: string, fresh: string): Rename {
  return (name) => {
    const lower = canonicalName(name);
    if (lower !== old && !lower.endsWith(`.${old}`)) return name;
    return parseName(name.slice(0, name.length - old.length) + fresh) ?? name;
  };
}
