/** A directive's words to a rule. A block is one rule too: its lines are read as if they stood in one (dns-server 3.15). */
import type { Directive, Token } from '../../corefile/ast.ts';
import type { Host } from '../contract.ts';
import { quote } from '../directive.ts';
import { cnameRule } from './cname-rule.ts';
import { type EdnsSurroundings, ednsRule } from './edns-rule.ts';
import { nameRule } from './name-rule.ts';
import { classRule, typeRule } from './question-rules.ts';
import { rcodeRule, ttlRule } from './response-rules.ts';
import type { Apply, Rule } from './rule.ts';
import { type RuleArguments, wrongRule } from './rule-arguments.ts';

export interface RuleSurroundings extends EdnsSurroundings {
  readonly resolve: Host['resolve'];
}

export function parseRule(directive: Directive, surroundings: RuleSurroundings): Rule {
  const lines = directive.body ?? [];
  const words = [...directive.args, ...lines.flatMap(({ name, args }) => [name, ...args])];
  const [mode] = words;
  if (mode === undefined) throw wrongRule(directive.name, 'no rule type specified for rewrite');
  const word = mode.text.toLowerCase();
  if (word !== 'continue' && word !== 'stop') return { stop: true, apply: applyOf(words, surroundings) };
  if (words.length < 2) throw wrongRule(mode, `${word} rule must begin with a rule type`);
  return { stop: word === 'stop', apply: applyOf(words.slice(1), surroundings) };
}

function applyOf([at, ...args]: readonly Token[], surroundings: RuleSurroundings): Apply {
  if (at === undefined) throw new Error('a rule without a word');
  const rule: RuleArguments = { at, args };
  switch (at.text.toLowerCase()) {
    case 'name':
      return nameRule(rule);
    case 'type':
      return typeRule(rule);
    case 'class':
      return classRule(rule);
    case 'ttl':
      return ttlRule(rule);
    case 'rcode':
      return rcodeRule(rule);
    case 'cname':
      return cnameRule(rule, surroundings.resolve);
    case 'edns0':
      return ednsRule(rule, surroundings);
    case 'answer':
      throw wrongRule(at, 'response rewrites must begin with a name rule');
    default:
      throw wrongRule(
        at,
        `invalid rule type ${quote(at.text)}`,
        'The rules are: name, type, class, ttl, rcode, cname, edns0',
      );
  }
}
