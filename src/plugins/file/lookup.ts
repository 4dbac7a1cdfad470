/**
 * The answer that a zone gives (RFC 1034 section 4.3.2; wildcards RFC 4592, DNAME RFC 6672, denials RFC 2308, signed
 * zones RFC 4035 section 3.1). Pure. An alias is followed as far as it stays in the zone; where it leads out of it is
 * told to the caller, who may ask on.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { Question, ResourceRecord } from '../../dns/message.ts';
import { canonicalName, isSubdomain, joinName, type Name, nameLabels } from '../../dns/name.ts';
import { cnameRecord, recordTarget } from '../../dns/rdata/target.ts';
import { additionalFor } from './additional.ts';
import { findName } from './find-name.ts';
import { proveNoName, proveNoType, proveNothing, signedSet } from './proof.ts';
import { setOf, type Zone, type ZoneNode } from './zone.ts';

export interface ZoneAnswer {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** The alias in the answer ends here, outside of the zone. */
  readonly leadsTo?: Name;
  /** The name has no records of any type: what `fallthrough` is about. */
  readonly unknown?: true;
}

/** Aliases that one answer follows; resolvers give up at about as many. */
const MAX_ALIASES = 16;
/** A question for these is about the alias itself (RFC 1034 section 3.6.2). */
const NOT_ALIASED: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.ANY]);
/** These may stand beside an alias, and are then what was asked for (RFC 4035 section 2.5). */
const BESIDE_ALIAS: ReadonlySet<number> = new Set([TYPE.RRSIG, TYPE.NSEC]);
const NO_RECORDS: readonly ResourceRecord[] = [];

interface Walk {
  readonly zone: Zone;
  readonly type: number;
  readonly dnssecOk: boolean;
  /** Aliases followed so far, with signatures. */
  readonly answers: ResourceRecord[];
  /** Proof that no closer name hides the wildcards that were used. */
  readonly proofs: ResourceRecord[];
  readonly visited: Set<Name>;
}

/** An answer, or the name to go on with. */
type Step = { readonly answer: ZoneAnswer } | { readonly target: Name };

/** `question.name` is in the zone, in any case. */
export function lookUp(zone: Zone, question: Question, dnssecOk: boolean): ZoneAnswer {
  const { type } = question;
  const walk: Walk = { zone, type, dnssecOk, answers: [], proofs: [], visited: new Set() };
  let name = question.name;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const step = stepFrom(walk, name);
    if ('answer' in step) return step.answer;
    walk.visited.add(canonicalName(name));
    name = step.target;
    if (!isSubdomain(zone.origin, name)) return { ...positive(walk, NO_RECORDS), leadsTo: name };
    if (walk.visited.has(canonicalName(name))) break;
  }
  return positive(walk, NO_RECORDS);
}

function stepFrom(walk: Walk, name: Name): Step {
  const place = findName(walk.zone, name, walk.type);
  switch (place.kind) {
    case 'cut':
      return { answer: referral(walk, place.node) };
    case 'redirected':
      return redirect(walk, place.node, name);
    case 'exact':
      return stepAt(walk, place.node);
    case 'missing':
      if (place.wildcard === undefined) return { answer: noName(walk, name, place.encloser) };
      return stepAt(walk, place.wildcard, name);
  }
}

/** `asked` is the name that the wildcard `node` stands for, if it is one. */
function stepAt(walk: Walk, node: ZoneNode, asked?: Name): Step {
  const { zone, type, dnssecOk } = walk;
  const own = (records: readonly ResourceRecord[]) =>
    asked === undefined ? records : records.map((record) => ({ ...record, name: asked }));
  if (asked !== undefined && dnssecOk) walk.proofs.push(...proveNoName(zone, asked));
  const isDirect = NOT_ALIASED.has(type) || (BESIDE_ALIAS.has(type) && setOf(node, type) !== undefined);
  const alias = isDirect ? undefined : setOf(node, TYPE.CNAME)?.[0];
  const target = alias && recordTarget(alias);
  if (target !== undefined) {
    walk.answers.push(...own(signedSet(node, TYPE.CNAME, dnssecOk)));
    return { target };
  }
  const found = type === TYPE.ANY ? node.sets.flat() : signedSet(node, type, dnssecOk);
  return { answer: found.length > 0 ? positive(walk, own(found)) : noType(walk, node) };
}

function redirect(walk: Walk, node: ZoneNode, name: Name): Step {
  const [rule] = setOf(node, TYPE.DNAME) ?? [];
  const target = rule && recordTarget(rule);
  if (rule === undefined || target === undefined) return { answer: noType(walk, node) };
  walk.answers.push(...signedSet(node, TYPE.DNAME, walk.dnssecOk));
  const labels = nameLabels(name);
  const front = labels.slice(0, labels.length - nameLabels(node.name).length);
  const made = joinName(front, target);
  // RFC 6672 section 2.2: the name would be too long.
  if (made === undefined) return { answer: { ...positive(walk, NO_RECORDS), rcode: RCODE.YXDOMAIN } };
  walk.answers.push(cnameRecord(name, rule.ttlSeconds, made));
  if (walk.type === TYPE.CNAME || walk.type === TYPE.ANY) return { answer: positive(walk, NO_RECORDS) };
  return { target: made };
}

/** With the zone's name servers, as CoreDNS does. */
function positive(
  { zone, type, dnssecOk, answers, proofs }: Walk,
  found: readonly ResourceRecord[],
): ZoneAnswer {
  const isOwnServers = type === TYPE.NS && canonicalName(found[0]?.name ?? zone.origin) === zone.origin;
  const servers = isOwnServers && found.length > 0 ? NO_RECORDS : signedSet(zone.apex, TYPE.NS, dnssecOk);
  return {
    rcode: RCODE.NOERROR,
    authoritative: true,
    answers: answers.length === 0 ? found : [...answers, ...found],
    authorities: proofs.length === 0 ? servers : [...servers, ...proofs],
    additionals: additionalFor(zone, found, dnssecOk),
  };
}

/** RFC 1034 section 4.3.2 step 3b. Behind an alias the answer stays authoritative: AA is about its first name. */
function referral({ zone, dnssecOk, answers }: Walk, node: ZoneNode): ZoneAnswer {
  const servers = setOf(node, TYPE.NS) ?? NO_RECORDS;
  const signed = dnssecOk && zone.chain.length > 0;
  const delegationSigner = signed ? signedSet(node, TYPE.DS, true) : NO_RECORDS;
  const proof = signed && delegationSigner.length === 0 ? proveNoType(zone, node) : NO_RECORDS;
  return {
    rcode: RCODE.NOERROR,
    authoritative: answers.length > 0,
    answers,
    authorities: [...servers, ...delegationSigner, ...proof],
    additionals: additionalFor(zone, servers, dnssecOk),
  };
}

function noType(walk: Walk, node: ZoneNode): ZoneAnswer {
  const { zone, dnssecOk, answers, proofs } = walk;
  const proof = dnssecOk ? [...proofs, ...proveNoType(zone, node)] : NO_RECORDS;
  return {
    rcode: RCODE.NOERROR,
    authoritative: true,
    answers,
    authorities: [...negativeSoa(zone, dnssecOk), ...new Set(proof)],
    additionals: NO_RECORDS,
    ...(node.sets.length === 0 && answers.length === 0 && { unknown: true }),
  };
}

function noName({ zone, dnssecOk, answers, proofs }: Walk, name: Name, encloser: ZoneNode): ZoneAnswer {
  const proof = dnssecOk ? [...proofs, ...proveNothing(zone, name, encloser)] : NO_RECORDS;
  return {
    rcode: RCODE.NXDOMAIN,
    authoritative: true,
    answers,
    authorities: [...negativeSoa(zone, dnssecOk), ...new Set(proof)],
    additionals: NO_RECORDS,
    ...(answers.length === 0 && { unknown: true }),
  };
}

/** RFC 2308 section 3: its TTL is how long the denial may be believed. */
function negativeSoa({ apex, soaData }: Zone, dnssecOk: boolean): readonly ResourceRecord[] {
  return signedSet(apex, TYPE.SOA, dnssecOk).map((record) =>
    record.ttlSeconds <= soaData.minimumSeconds ? record : { ...record, ttlSeconds: soaData.minimumSeconds },
  );
}
