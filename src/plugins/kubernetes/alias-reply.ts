/**
 * ExternalName services asked for addresses: the CNAME and what it leads to. Targets in our zone are looked up here,
 * others by asking the server itself, so that any plugin may answer. A circle of aliases has no answer (NODATA).
 */
import { RCODE } from '../../dns/codes.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { canonicalName, isSubdomain, type Name } from '../../dns/name.ts';
import { cnameRecord } from '../../dns/rdata/target.ts';
import { readName } from './lookup/find-name.ts';
import { lookup } from './lookup/lookup.ts';
import { NODATA, type Outcome } from './lookup/outcome.ts';
import type { Scope } from './lookup/scope.ts';
import { zoneSpelling } from './zone-spelling.ts';

/** What an alias comes to. `outside` still has to be asked for, and its answers appended to `chain`. */
export type AliasEnd =
  | { readonly kind: 'done'; readonly outcome: Outcome }
  | { readonly kind: 'outside'; readonly chain: readonly ResourceRecord[]; readonly target: Name };

/** Longer chains of aliases are an operator's mistake. */
const MAX_ALIASES = 8;

export interface AliasQuestion {
  readonly owner: Name;
  readonly target: Name;
  readonly type: number;
}

/** Follows the alias while it stays in the zone. */
export function followAlias(scope: Scope, question: AliasQuestion): AliasEnd {
  const { ttlSeconds } = scope.options;
  const chain: ResourceRecord[] = [];
  const seen = new Set([canonicalName(question.owner)]);
  let { owner, target } = question;
  while (chain.length < MAX_ALIASES && !seen.has(canonicalName(target))) {
    seen.add(canonicalName(target));
    chain.push(cnameRecord(owner, ttlSeconds, target));
    if (!isSubdomain(scope.zone, target)) return { kind: 'outside', chain, target };
    const inside: Scope = { ...scope, zone: zoneSpelling(scope.zone, target) };
    const outcome = lookup(inside, readName(scope.options, scope.zone, target), question.type);
    if (outcome.kind === 'nxdomain' && !scope.view.synced()) return { kind: 'done', outcome };
    if (outcome.kind !== 'alias') return { kind: 'done', outcome: endOfChain(chain, outcome) };
    owner = target;
    target = outcome.target;
  }
  return { kind: 'done', outcome: NODATA };
}

/** An answer to the outside part: its records whatever its rcode, as the CNAME itself does exist. */
export function joinChain(
  chain: readonly ResourceRecord[],
  message: Message | undefined,
): Outcome | undefined {
  if (message === undefined || message.rcode === RCODE.SERVFAIL) return undefined;
  return { kind: 'records', answers: [...chain, ...message.answers], additionals: [] };
}

function endOfChain(chain: readonly ResourceRecord[], end: Outcome): Outcome {
  const answers = end.kind === 'records' ? end.answers : [];
  return { kind: 'records', answers: [...chain, ...answers], additionals: [] };
}
