/** One kept answer, and how it is turned back into a reply. The OPT record is never kept: it is between two neighbours. */
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';

interface Sections {
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

export interface CachedAnswer extends Sections {
  readonly rcode: number;
  readonly recursionAvailable: boolean;
  readonly authenticData: boolean;
  readonly serverError: boolean;
  /** At the time of storing. */
  readonly ttlSeconds: number;
  /** Of the clock that never jumps. */
  readonly storedMs: number;
  /** How often and how lately it was hit: decides on fetching ahead. */
  readonly use: { hits: number; lastMs: number };
  /** The sections with the TTL of this second: all hits within it share them. */
  readonly shown: { ttlSeconds: number; sections: Sections };
}

export function cachedAnswer(
  reply: Message,
  { ttlSeconds, storedMs, serverError }: { ttlSeconds: number; storedMs: number; serverError: boolean },
): CachedAnswer {
  const sections = withTtl(reply, ttlSeconds);
  return {
    ...sections,
    rcode: reply.rcode,
    recursionAvailable: reply.flags.recursionAvailable,
    authenticData: reply.flags.authenticData,
    serverError,
    ttlSeconds,
    storedMs,
    use: { hits: 0, lastMs: storedMs },
    shown: { ttlSeconds, sections },
  };
}

/** Seconds left; 0 or less when it has expired. Age counts in whole seconds. */
export function remainingTtl(answer: CachedAnswer, nowMs: number): number {
  return answer.ttlSeconds - Math.floor((nowMs - answer.storedMs) / 1000);
}

/** AA is set and AD only for those who show that they understand it (RFC 6840 section 5.7). */
export function replyFromCache(query: Message, answer: CachedAnswer, ttlSeconds: number): Message {
  const { shown } = answer;
  if (shown.ttlSeconds !== ttlSeconds) {
    shown.sections = withTtl(answer, ttlSeconds);
    shown.ttlSeconds = ttlSeconds;
  }
  // Field by field: a spread costs more here than the whole reply.
  return replyTo(query, {
    answers: shown.sections.answers,
    authorities: shown.sections.authorities,
    additionals: shown.sections.additionals,
    rcode: answer.rcode,
    authoritative: true,
    recursionAvailable: answer.recursionAvailable,
    authenticData: answer.authenticData && wantsAuthenticData(query),
  });
}

export function wantsAuthenticData(query: Message): boolean {
  return query.flags.authenticData || query.edns?.dnssecOk === true;
}

/** Copies: the records of a reply belong to whoever made it. */
export function withTtl(sections: Sections, ttlSeconds: number): Sections {
  const set = (records: readonly ResourceRecord[]) => records.map((record) => ({ ...record, ttlSeconds }));
  return {
    answers: set(sections.answers),
    authorities: set(sections.authorities),
    additionals: set(sections.additionals),
  };
}
