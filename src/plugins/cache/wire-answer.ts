/** Between replies and what is kept of them: bytes, one TTL. The OPT record is never kept: it is between two neighbours. */
import { decodeMessage, HEADER_BYTES } from '../../dns/decode-message.ts';
import { encodeMessage, MAX_MESSAGE_BYTES, messageLength } from '../../dns/encode-message.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import { patchU16, writerOf } from '../../dns/writer.ts';
import type { WireAnswer } from '../../wirecache/contract.ts';

export interface Sections {
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/**
 * Of a reply whose records all say `ttlSeconds` (`withTtl`). Undefined when they do not fit into a message without
 * compression: such an answer is not kept.
 */
export function wireAnswer(
  reply: Message,
  { ttlSeconds, storedMs, serverError }: Pick<WireAnswer, 'ttlSeconds' | 'storedMs' | 'serverError'>,
): WireAnswer | undefined {
  const { id, opcode, rcode, flags, answers, authorities, additionals } = reply;
  const bare: Message = { id, opcode, rcode, flags, questions: [], answers, authorities, additionals };
  if (messageLength(bare) > MAX_MESSAGE_BYTES) return undefined;
  return {
    rcode,
    recursionAvailable: flags.recursionAvailable,
    authenticData: flags.authenticData,
    serverError,
    counts: {
      answers: answers.length,
      authorities: authorities.length,
      additionals: additionals.length,
    },
    records: encodeMessage(bare).subarray(HEADER_BYTES),
    ttlSeconds,
    storedMs,
  };
}

/** The records as values, with the TTL they were stored with; undefined when the bytes are no records. */
export function sectionsOf({
  counts,
  records,
}: Pick<WireAnswer, 'counts' | 'records'>): Sections | undefined {
  const writer = writerOf(HEADER_BYTES + records.length);
  patchU16(writer, 6, counts.answers);
  patchU16(writer, 8, counts.authorities);
  patchU16(writer, 10, counts.additionals);
  writer.bytes.set(records, HEADER_BYTES);
  const decoded = decodeMessage(writer.bytes);
  return decoded.ok ? decoded.value : undefined;
}

/** Seconds left; 0 or less when it has expired. Age counts in whole seconds. */
export function remainingTtl(answer: Pick<WireAnswer, 'ttlSeconds' | 'storedMs'>, nowMs: number): number {
  return answer.ttlSeconds - Math.floor((nowMs - answer.storedMs) / 1000);
}

/** AA is set and AD only for those who show that they understand it (RFC 6840 section 5.7). */
export function replyFromCache(query: Message, answer: WireAnswer, ttlSeconds: number): Message {
  const stored = sectionsOf(answer);
  if (stored === undefined) throw new Error('Cannot read what was stored');
  const { answers, authorities, additionals } =
    ttlSeconds === answer.ttlSeconds ? stored : withTtl(stored, ttlSeconds);
  return replyTo(query, {
    answers,
    authorities,
    additionals,
    rcode: answer.rcode,
    authoritative: true,
    recursionAvailable: answer.recursionAvailable,
    authenticData: answer.authenticData && wantsAuthenticData(query),
  });
}

export function wantsAuthenticData(query: Message): boolean {
  return query.flags.authenticData || query.edns?.dnssecOk === true;
}

/** Copies of what has another TTL: the records of a reply belong to whoever made it. */
export function withTtl(sections: Sections, ttlSeconds: number): Sections {
  const set = (records: readonly ResourceRecord[]) =>
    records.every((record) => record.ttlSeconds === ttlSeconds)
      ? records
      : records.map((record) => ({ ...record, ttlSeconds }));
  return {
    answers: set(sections.answers),
    authorities: set(sections.authorities),
    additionals: set(sections.additionals),
  };
}
