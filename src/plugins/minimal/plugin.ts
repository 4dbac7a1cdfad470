/**
 * Leaves out what a client can do without: the authority and additional sections of plain answers. Denials need their
 * SOA record for negative caching (RFC 2308 section 5) and delegations are nothing but those sections, so both stay.
 */
import { messageKind } from '../../dns/classify.ts';
import type { Plugin, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';

export function minimal(clock: Clock): Plugin {
  return (next) => (query) => {
    const reply = next(query);
    return reply instanceof Promise ? reply.then((late) => trimmed(late, clock)) : trimmed(reply, clock);
  };
}

/** A zone transfer is no answer but a stream of messages, each of which has to arrive whole. */
function trimmed(reply: Reply, clock: Clock): Reply {
  const { message } = reply;
  if (message === undefined || reply.more !== undefined) return reply;
  if (message.authorities.length === 0 && message.additionals.length === 0) return reply;
  if (messageKind(message, clock.nowMs() / 1000) !== 'NOERROR') return reply;
  return { ...reply, message: { ...message, authorities: [], additionals: [] } };
}
