/**
 * Answers `SERVICE.NAMESPACE.ZONE` with the addresses under which a service is reached from outside its cluster
 * (CoreDNS's k8s_external). The cluster's facts come from `kubernetes` in the same block; here is only the zone.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import {
  canonicalName,
  equalNames,
  isSubdomain,
  joinName,
  type Name,
  nameLabels,
  ROOT,
} from '../../dns/name.ts';
import { cnameRecord, ptrRecord } from '../../dns/rdata/target.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { ClusterNames, Host } from '../contract.ts';
import { matchingZone } from '../zones.ts';
import { type Found, findService } from './find-service.ts';
import type { ExternalOptions } from './options.ts';
import { addressRecords, hostNames, serverAddresses, serviceRecords, zoneNs, zoneSoa } from './records.ts';
import { isReverseName, parseReverseName } from './reverse.ts';

export interface ExternalParts {
  readonly options: ExternalOptions;
  /** Undefined until the block is complete. */
  readonly cluster: () => ClusterNames | undefined;
  readonly resolve: Host['resolve'];
}

/** What a question comes to. An alias still has to be followed. */
type Outcome =
  | {
      readonly kind: 'records';
      readonly answers: readonly ResourceRecord[];
      readonly additionals?: readonly ResourceRecord[];
    }
  | { readonly kind: 'alias'; readonly target: Name }
  | { readonly kind: 'nxdomain' | 'refused' };

interface Scope {
  readonly options: ExternalOptions;
  readonly cluster: ClusterNames;
  readonly query: Query;
  /** In the query's own case. */
  readonly zone: Name;
  /** In front of the zone, lower case. */
  readonly labels: readonly string[];
}

const NODATA: Outcome = { kind: 'records', answers: [] };
const NXDOMAIN: Outcome = { kind: 'nxdomain' };

export function k8sExternal(parts: ExternalParts): Plugin {
  return (next) => (query) => answer(parts, query, next);
}

function answer(parts: ExternalParts, query: Query, next: Handler): Reply | Promise<Reply> {
  const { options } = parts;
  const { name } = query.question;
  const matched = matchingZone(options.zones, name);
  const cluster = parts.cluster();
  if (matched === undefined) return next(query);
  if (cluster === undefined)
    return { rcode: RCODE.SERVFAIL, error: new Error('no kubernetes in this block') };
  const zone = matched === ROOT ? matched : (name.slice(-matched.length) as Name);
  const labels = nameLabels(canonicalName(name)).slice(0, -nameLabels(matched).length || undefined);
  const scope: Scope = { options, cluster, query, zone, labels };
  const outcome = lookup(scope);
  if (outcome.kind === 'alias') return followAlias(parts, scope, outcome.target);
  if (outcome.kind === 'nxdomain' && options.fallthrough.some((parent) => isSubdomain(parent, name))) {
    return next(query);
  }
  return replyWith(scope, outcome);
}

function lookup(scope: Scope): Outcome {
  const { labels, options, query } = scope;
  const { type } = query.question;
  if (type === TYPE.AXFR || type === TYPE.IXFR) return { kind: 'refused' };
  if (labels.length === 0) return lookupApex(scope);
  if (labels.at(-1) === options.apex) return lookupServer(scope);
  return type === TYPE.PTR ? lookupPointer(scope) : lookupService(scope, foundFor(scope));
}

function lookupApex({ options, cluster, query, zone }: Scope): Outcome {
  switch (query.question.type) {
    case TYPE.SOA:
      return { kind: 'records', answers: [zoneSoa(options, zone, cluster.serial())] };
    case TYPE.NS: {
      const server = joinName(['ns1', options.apex], zone) ?? zone;
      const addresses = serverAddresses(cluster, options.headless);
      const additionals = [TYPE.A, TYPE.AAAA].flatMap((type) =>
        addressRecords(server, options, { addresses, type }),
      );
      return { kind: 'records', answers: [zoneNs(options, zone)], additionals };
    }
    default:
      return NODATA;
  }
}

/** `APEX.ZONE` is only there for what lies below it, and that is `ns1`. */
function lookupServer({ labels, options, cluster, query }: Scope): Outcome {
  const { name, type } = query.question;
  if (labels.length === 1) return NODATA;
  if (labels.length > 2 || labels[0] !== 'ns1') return NXDOMAIN;
  if (type !== TYPE.A && type !== TYPE.AAAA) return NODATA;
  const addresses = serverAddresses(cluster, options.headless);
  return { kind: 'records', answers: addressRecords(name, options, { addresses, type }) };
}

function foundFor({ cluster, options, labels }: Scope): Found {
  return findService(cluster, options.headless, labels);
}

function lookupPointer(scope: Scope): Outcome {
  const { options, cluster, query } = scope;
  const address = parseReverseName(canonicalName(query.question.name));
  if (address === undefined) return foundFor(scope).kind === 'nothing' ? NXDOMAIN : NODATA;
  const zone = options.zones.find((one) => !isReverseName(one));
  const targets = cluster
    .servicesOutsideAt(address)
    .map(({ namespace, name }) => zone && joinName([name, namespace], zone));
  const distinct = new Set(targets.filter((target) => target !== undefined));
  if (distinct.size === 0) return NXDOMAIN;
  const { name } = query.question;
  return {
    kind: 'records',
    answers: [...distinct].map((target) => ptrRecord(name, options.ttlSeconds, target)),
  };
}

function lookupService({ options, query, zone }: Scope, found: Found): Outcome {
  const { name, type } = query.question;
  if (found.kind === 'nothing') return NXDOMAIN;
  if (found.kind === 'empty') return NODATA;
  const { service, targets } = found;
  const addresses = targets.flatMap(({ address }) => address ?? []);
  // An alias cannot stand beside other records of its name, nor beside another alias (RFC 1034 section 3.6.2).
  const alias = addresses.length > 0 ? undefined : hostNames(targets)[0];
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA:
      if (alias !== undefined) return { kind: 'alias', target: alias };
      return { kind: 'records', answers: addressRecords(name, options, { addresses, type }) };
    case TYPE.CNAME:
      if (alias === undefined) return NODATA;
      return { kind: 'records', answers: [cnameRecord(name, options.ttlSeconds, alias)] };
    case TYPE.SRV: {
      const own = joinName([service.name, service.namespace], zone);
      return own === undefined
        ? NODATA
        : { kind: 'records', ...serviceRecords(name, options, { service: own, targets }) };
    }
    default:
      return NODATA;
  }
}

async function followAlias(parts: ExternalParts, scope: Scope, target: Name): Promise<Reply> {
  const { name, type } = scope.query.question;
  const alias = cnameRecord(name, scope.options.ttlSeconds, target);
  const message = equalNames(name, target) ? undefined : await parts.resolve(scope.query, target, type);
  return replyWith(scope, { kind: 'records', answers: [alias, ...answersOf(message)] });
}

/** Without an answer the client still learns where to ask. */
function answersOf(message: Message | undefined): readonly ResourceRecord[] {
  return message?.rcode === RCODE.NOERROR ? message.answers : [];
}

function replyWith(
  { options, cluster, query, zone }: Scope,
  outcome: Exclude<Outcome, { kind: 'alias' }>,
): Reply {
  if (outcome.kind === 'refused') return { rcode: RCODE.REFUSED };
  if (outcome.kind === 'records' && outcome.answers.length > 0) {
    const { answers, additionals = [] } = outcome;
    return {
      rcode: RCODE.NOERROR,
      message: replyTo(query.message, { answers, additionals, authoritative: true }),
    };
  }
  const unknown = cluster.synced() ? RCODE.NXDOMAIN : RCODE.SERVFAIL;
  const rcode = outcome.kind === 'nxdomain' ? unknown : RCODE.NOERROR;
  const authorities = [zoneSoa(options, zone, cluster.serial())];
  return { rcode, message: replyTo(query.message, { rcode, authorities, authoritative: true }) };
}
