/**
 * The `kubernetes` handler: picks the zone, looks the name up, and turns the outcome into a reply. Answers are
 * synchronous except for aliases that lead outside. While the API has not been listed, "no such name" is SERVFAIL,
 * because clients and caches would keep a wrong NXDOMAIN.
 */
import { RCODE } from '../../dns/codes.ts';
import { isSubdomain } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Ip } from '../../net/ip.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Host } from '../contract.ts';
import { matchingZone } from '../zones.ts';
import { followAlias, joinChain } from './alias-reply.ts';
import { readName } from './lookup/find-name.ts';
import { lookup } from './lookup/lookup.ts';
import type { Outcome } from './lookup/outcome.ts';
import { MESSAGE_BYTES, type Scope } from './lookup/scope.ts';
import { createZoneSoa } from './lookup/zone-soa.ts';
import { isMulticlusterZone, type KubernetesOptions } from './options.ts';
import type { ClusterView } from './view/service-index.ts';
import { zoneSpelling } from './zone-spelling.ts';

export interface KubernetesParts {
  readonly options: KubernetesOptions;
  readonly view: ClusterView;
  /** What other clusters export; absent without multicluster zones. */
  readonly imports?: ClusterView;
  /** Addresses of this machine, without loopback and link-local ones. */
  readonly localAddresses: () => readonly Ip[];
  readonly resolve: Host['resolve'];
}

export function createKubernetesPlugin(parts: KubernetesParts): Plugin {
  const whole: Parts = { ...parts, soa: createZoneSoa(parts.options, parts.view.serial) };
  return (next) => (query) => answer(whole, query, next);
}

interface Parts extends KubernetesParts {
  readonly soa: Scope['soa'];
}

function answer(parts: Parts, query: Query, next: Handler): Reply | Promise<Reply> {
  const { name, type } = query.question;
  const { options } = parts;
  const zone = matchingZone(options.zones, name);
  if (zone === undefined) return next(query);
  const asked = readName(options, zone, name);
  const view = (isMulticlusterZone(options, zone) ? parts.imports : undefined) ?? parts.view;
  const localAddresses = parts.localAddresses();
  const scope: Scope = {
    view,
    options,
    zone: zoneSpelling(zone, name),
    soa: parts.soa,
    localAddresses,
    answerBytes: MESSAGE_BYTES,
  };
  const outcome = lookup(scope, asked, type);
  if (outcome.kind === 'alias') return answerAlias(parts, query, { scope, target: outcome.target });
  if (outcome.kind === 'nxdomain' && options.fallthrough.some((parent) => isSubdomain(parent, name))) {
    return next(query);
  }
  return replyWith(scope, query, outcome);
}

function answerAlias(
  { resolve }: Parts,
  query: Query,
  { scope, target }: { scope: Scope; target: Extract<Outcome, { kind: 'alias' }>['target'] },
): Reply | Promise<Reply> {
  const { name, type } = query.question;
  const end = followAlias(scope, { owner: name, target, type });
  if (end.kind === 'done') return replyWith(scope, query, end.outcome);
  return resolve(query, end.target, type).then((message) => {
    const outcome = joinChain(end.chain, message);
    if (outcome !== undefined) return replyWith(scope, query, outcome);
    return { rcode: RCODE.SERVFAIL, error: new Error(`Cannot resolve ${end.target}: no answer`) };
  });
}

function replyWith(scope: Scope, query: Query, outcome: Outcome): Reply {
  if (outcome.kind === 'refused') return { rcode: RCODE.REFUSED };
  if (outcome.kind === 'records') {
    const { answers, additionals } = outcome;
    return {
      rcode: RCODE.NOERROR,
      message: replyTo(query.message, { answers, additionals, authoritative: true }),
    };
  }
  const rcode = negativeRcode(scope, outcome);
  const authorities = [scope.soa(scope.zone)];
  return { rcode, message: replyTo(query.message, { rcode, authorities, authoritative: true }) };
}

function negativeRcode({ view }: Scope, outcome: Outcome): number {
  if (outcome.kind !== 'nxdomain') return RCODE.NOERROR;
  return view.synced() ? RCODE.NXDOMAIN : RCODE.SERVFAIL;
}
