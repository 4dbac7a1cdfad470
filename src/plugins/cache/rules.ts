/** What may be kept, where and for how long (dns-server 3.7). Pure: a message in, a verdict out. */
import { type MessageKind, messageKind } from '../../dns/classify.ts';
import { TYPE } from '../../dns/codes.ts';
import type { Message, Question, ResourceRecord } from '../../dns/message.ts';
import { canonicalName, equalNames, type Name } from '../../dns/name.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import type { Share } from '../../wirecache/contract.ts';
import { matchingZone } from '../zones.ts';
import type { CacheSpec, ShareSpec } from './options.ts';

export interface Verdict {
  /** Where the answer goes; undefined when it is not to be kept. */
  readonly share: Share | undefined;
  /** Seconds, 0 or more: written into every record of the answer, kept or not. */
  readonly ttlSeconds: number;
  /** The answer is to another question: never kept, and counted. */
  readonly mismatch: boolean;
  /** SERVFAIL or NOTIMP: kept for a few seconds, and no reason to forget an answer that was good. */
  readonly serverError: boolean;
}

export interface Circumstances {
  readonly spec: CacheSpec;
  /** Since the epoch, for the validity of signatures. */
  readonly nowSeconds: number;
}

/** For answers without a record whose TTL could be taken. */
const DEFAULT_TTL_SECONDS = 5;

export function judge(question: Question, reply: Message, { spec, nowSeconds }: Circumstances): Verdict {
  const kind = kindOf(question, reply, nowSeconds);
  const ttlSeconds = ttlOf(reply, kind, spec);
  const mismatch = !repeats(question, reply);
  const share = ttlSeconds === 0 || mismatch || reply.flags.truncated ? undefined : shareOf(reply, kind);
  const excepted = share !== undefined && matchingZone(spec[share].except, question.name) !== undefined;
  const serverError = kind === 'SERVERERROR';
  return { share: excepted ? undefined : share, ttlSeconds, mismatch, serverError };
}

/**
 * A CNAME chain that ends nowhere says "no such data" if an SOA vouches for it, and otherwise nothing to rely on: some
 * resolvers send the head of a chain whose tail timed out.
 */
function kindOf(question: Question, reply: Message, nowSeconds: number): MessageKind {
  const kind = messageKind(reply, nowSeconds);
  if (kind !== 'NOERROR' || reply.answers.length === 0 || reaches(question, reply.answers)) return kind;
  return hasSoa(reply) ? 'NODATA' : 'OTHERERROR';
}

function reaches(question: Question, answers: readonly ResourceRecord[]): boolean {
  if (question.type === TYPE.CNAME || question.type === TYPE.ANY) return true;
  if (!answers.some((record) => record.type === TYPE.CNAME)) return true;
  const aliases = new Map<Name, Name>();
  for (const record of answers) {
    const target = record.type === TYPE.CNAME ? recordTarget(record) : undefined;
    if (target !== undefined) aliases.set(canonicalName(record.name), canonicalName(target));
  }
  if (aliases.size === 0) return true;
  let owner = canonicalName(question.name);
  for (let i = 0; i <= aliases.size; i++) {
    const alias = aliases.get(owner);
    if (alias === undefined) break;
    owner = alias;
  }
  return answers.some((record) => record.type === question.type && equalNames(record.name, owner));
}

/** Whether the answers lead to what was asked for: what `serve_stale_policy prefer_positive` holds on to. */
export function isPositive(question: Question, answers: readonly ResourceRecord[]): boolean {
  if (question.type === TYPE.ANY) return answers.length > 0;
  return reaches(question, answers) && answers.some((record) => record.type === question.type);
}

function shareOf(reply: Message, kind: MessageKind): Share | undefined {
  switch (kind) {
    case 'NOERROR':
    case 'DELEGATION':
      return 'success';
    case 'NODATA':
    case 'SERVERERROR':
      return 'denial';
    case 'NXDOMAIN':
      return hasSoa(reply) ? 'denial' : undefined;
    case 'META':
    case 'UPDATE':
    case 'OTHERERROR':
      return undefined;
  }
}

function ttlOf(reply: Message, kind: MessageKind, spec: CacheSpec): number {
  if (kind === 'SERVERERROR') return spec.servfailSeconds;
  const negative = kind === 'NXDOMAIN' || kind === 'NODATA';
  return clamp(smallestTtl(reply, kind), negative ? spec.denial : spec.success);
}

/** The SOA's own TTL counts for negatives, not its minimum field: that is what CoreDNS does, against RFC 2308. */
function smallestTtl(reply: Message, kind: MessageKind): number {
  const usable = kind === 'NOERROR' || kind === 'NXDOMAIN' || kind === 'NODATA';
  let least = Number.POSITIVE_INFINITY;
  for (const records of usable ? [reply.answers, reply.authorities, reply.additionals] : []) {
    for (const record of records) least = Math.min(least, record.ttlSeconds);
  }
  return least === Number.POSITIVE_INFINITY ? DEFAULT_TTL_SECONDS : least;
}

function clamp(ttlSeconds: number, { minTtlSeconds, maxTtlSeconds }: ShareSpec): number {
  return Math.min(maxTtlSeconds, Math.max(minTtlSeconds, ttlSeconds));
}

/** Whether it is an answer to this question and no other. */
export function repeats(question: Question, reply: Message): boolean {
  const [echoed] = reply.questions;
  if (echoed === undefined || !reply.flags.response) return false;
  const sameKind = echoed.type === question.type && echoed.class === question.class;
  return sameKind && equalNames(echoed.name, question.name);
}

function hasSoa(reply: Message): boolean {
  return reply.authorities.some((record) => record.type === TYPE.SOA);
}
