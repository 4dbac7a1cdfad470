/**
 * Sets and clears header flags: of queries on their way to the plugins behind, and of replies on their way back. Stands
 * behind `cache`, so that a flag of a reply is remembered as it was made here.
 */
import type { Flags } from '../../dns/message.ts';
import type { Plugin, Reply } from '../../server/handler.ts';

/** Later words win over earlier ones, so a list of changes is just the outcome for each flag. */
export type FlagChange = Readonly<Partial<Flags>>;

export interface HeaderOptions {
  readonly query: FlagChange;
  readonly response: FlagChange;
}

export function header({ query: ofQuery, response }: HeaderOptions): Plugin {
  const changesQuery = Object.keys(ofQuery).length > 0;
  return (next) => (query) => {
    const { message } = query;
    const asked = changesQuery
      ? { ...query, message: { ...message, flags: { ...message.flags, ...ofQuery } } }
      : query;
    const reply = next(asked);
    return reply instanceof Promise
      ? reply.then((late) => withFlags(late, response))
      : withFlags(reply, response);
  };
}

function withFlags(reply: Reply, change: FlagChange): Reply {
  const { message } = reply;
  if (message === undefined) return reply;
  return { ...reply, message: { ...message, flags: { ...message.flags, ...change } } };
}
