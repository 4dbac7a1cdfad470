/**
 * Spreads clients over addresses by giving each reply its own order of records. Most clients take the first address, so
 * the order decides where they go. The reply itself may be shared with the cache: a new one is made, never a changed one.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import { shuffled } from './shuffle.ts';

/** `random` is uniform in [0, 1). */
export function loadbalance(random: () => number): Plugin {
  return (next) => (query) => {
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((settled) => arranged(query, settled, random))
      : arranged(query, reply, random);
  };
}

/** Errors have nothing to choose from, and the order of a zone transfer means something (RFC 5936 section 2.2). */
function arranged(query: Query, reply: Reply, random: () => number): Reply {
  const { message } = reply;
  const transfer = query.question.type === TYPE.AXFR || query.question.type === TYPE.IXFR;
  if (message === undefined || message.rcode !== RCODE.NOERROR || transfer) return reply;
  const answers = shuffled(message.answers, random);
  const authorities = shuffled(message.authorities, random);
  const additionals = shuffled(message.additionals, random);
  const unchanged =
    answers === message.answers && authorities === message.authorities && additionals === message.additionals;
  if (unchanged) return reply;
  return { ...reply, message: { ...message, answers, authorities, additionals } };
}
