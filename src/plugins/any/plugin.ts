/**
 * Answers queries for all types at once with one small made-up record (RFC 8482 section 4.2), so that nobody can use them
 * to make large answers out of small questions. They never get as far as the cache.
 */
import { TYPE } from '../../dns/codes.ts';
import { hinfoRecord } from '../../dns/rdata/text.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin } from '../../server/handler.ts';

/** CoreDNS's little joke: the number of the RFC. */
const TTL_SECONDS = 8482;

export const any: Plugin = (next) => (query) => {
  const { name, type } = query.question;
  if (type !== TYPE.ANY) return next(query);
  const record = hinfoRecord(name, TTL_SECONDS, { cpu: 'ANY obsoleted', os: 'See RFC 8482' });
  const message = replyTo(query.message, { answers: [record] });
  return { rcode: message.rcode, message };
};
