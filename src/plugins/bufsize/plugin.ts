/**
 * Lowers the size that clients advertise, so that no packet needs to be fragmented on its way: what upstreams are asked
 * with and what replies are held to. A client that advertises nothing, or less, is left as it is.
 */
import type { Plugin } from '../../server/handler.ts';

export function bufsize(bytes: number): Plugin {
  return (next) => (query) => {
    const { message } = query;
    if (message.edns === undefined || message.edns.udpSize <= bytes) return next(query);
    const edns = { ...message.edns, udpSize: bytes };
    const reply = next({ ...query, message: { ...message, edns } });
    return reply instanceof Promise
      ? reply.then((late) => ({ ...late, udpSize: bytes }))
      : { ...reply, udpSize: bytes };
  };
}
