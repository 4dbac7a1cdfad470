/**
 * Names this server in replies to clients that ask for it (RFC 5001), which tells apart servers behind one address. Stands
 * outside of the cache, so that the name is never remembered.
 */
import { EDNS_OPTION } from '../../dns/codes.ts';
import type { EdnsOption } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';

export function nsid(data: Uint8Array): Plugin {
  const option: EdnsOption = { code: EDNS_OPTION.NSID, data };
  return (next) => (query) => {
    const wanted = query.message.edns?.options.some(({ code }) => code === EDNS_OPTION.NSID) ?? false;
    const reply = next(query);
    if (!wanted) return reply;
    return reply instanceof Promise
      ? reply.then((late) => named(query, late, option))
      : named(query, reply, option);
  };
}

/** Failures are named too: whoever asks which server it was that failed gets to know. */
function named(query: Query, reply: Reply, option: EdnsOption): Reply {
  const { edns } = query.message;
  if (edns === undefined || reply.drop === true) return reply;
  const message = reply.message ?? replyTo(query.message, { rcode: reply.rcode });
  const own = message.edns ?? { version: 0, udpSize: edns.udpSize, dnssecOk: edns.dnssecOk, options: [] };
  const others = own.options.filter(({ code }) => code !== EDNS_OPTION.NSID);
  return { ...reply, message: { ...message, edns: { ...own, options: [...others, option] } } };
}
