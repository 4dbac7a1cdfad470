/** One `template` directive, and whether it has something to say to a query (dns-server 3.16). */
import { CLASS, TYPE } from '../../dns/codes.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import type { Query } from '../../server/handler.ts';
import { formatName } from '../../zonefile/escapes.ts';
import type { Pattern } from '../pattern.ts';
import { matchingZone } from '../zones.ts';
import type { Matched } from './template-data.ts';
import type { Template } from './text-template/text-template.ts';

export interface TemplateRule {
  readonly class: number;
  readonly type: number;
  readonly zones: readonly Name[];
  readonly patterns: readonly { readonly source: string; readonly pattern: Pattern }[];
  readonly answer: readonly Template[];
  readonly additional: readonly Template[];
  readonly authority: readonly Template[];
  readonly rcode: number;
  readonly extendedError: { readonly code: number; readonly reason: string } | undefined;
  /** Names below these go on to the next template when no pattern fits. */
  readonly fallthrough: readonly Name[];
}

/** `next` for the next template; `fail` when zone, class and type fit, but no pattern does. */
export type RuleOutcome =
  | { readonly kind: 'match'; readonly matched: Matched }
  | { readonly kind: 'next' }
  | { readonly kind: 'fail' };

/** Whether a rule looks at such a question of class IN at all. */
export function concerns(rule: TemplateRule, name: Name, type: number): boolean {
  if (!fits(rule.class, CLASS.IN, CLASS.ANY) || !fits(rule.type, type, TYPE.ANY)) return false;
  return matchingZone(rule.zones, name) !== undefined;
}

export function matchRule(rule: TemplateRule, { question }: Query): RuleOutcome {
  const qname = canonicalName(question.name);
  const zone = matchingZone(rule.zones, qname);
  if (zone === undefined) return { kind: 'next' };
  if (!fits(rule.class, question.class, CLASS.ANY) || !fits(rule.type, question.type, TYPE.ANY)) {
    return { kind: 'next' };
  }
  const name = formatName(qname);
  for (const { source, pattern } of rule.patterns) {
    const match = pattern.match(name);
    if (match === undefined) continue;
    const matched = {
      zone,
      name,
      class: question.class === CLASS.ANY ? rule.class : question.class,
      type: question.type === TYPE.ANY ? rule.type : question.type,
      regex: source,
      match,
      groupNames: pattern.groupNames,
    };
    return { kind: 'match', matched };
  }
  return { kind: matchingZone(rule.fallthrough, qname) === undefined ? 'fail' : 'next' };
}

function fits(own: number, asked: number, any: number): boolean {
  return own === any || asked === any || own === asked;
}
