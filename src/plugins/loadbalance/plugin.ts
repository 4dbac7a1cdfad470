/**
 * Spreads clients over addresses by giving each reply its own order of records. Most clients take the first address, so
 * the order decides where they go. The reply itself may be shared with the cache: a new one is made, never a changed one.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';

export type Section = 'answers' | 'authorities' | 'additionals';

/** Gives back the same list when there is nothing to arrange. */
export type Arrangement = (
  records: readonly ResourceRecord[],
  place: { readonly section: Section; readonly qtype: number },
) => readonly ResourceRecord[];

export function loadbalance(arrange: Arrangement): Plugin {
  return (next) => (query) => {
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((settled) => arranged(query, settled, arrange))
      : arranged(query, reply, arrange);
  };
}

/** Errors have nothing to choose from, and the order of a zone transfer means something (RFC 5936 section 2.2). */
function arranged(query: Query, reply: Reply, arrange: Arrangement): Reply {
  const { message } = reply;
  const qtype = query.question.type;
  const transfer = qtype === TYPE.AXFR || qtype === TYPE.IXFR;
  if (message === undefined || message.rcode !== RCODE.NOERROR || transfer) return reply;
  const answers = arrange(message.answers, { section: 'answers', qtype });
  const authorities = arrange(message.authorities, { section: 'authorities', qtype });
  const additionals = arrange(message.additionals, { section: 'additionals', qtype });
  const unchanged =
    answers === message.answers && authorities === message.authorities && additionals === message.additionals;
  if (unchanged) return reply;
  return { ...reply, message: { ...message, answers, authorities, additionals } };
}
