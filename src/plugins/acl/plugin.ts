/**
 * Keeps clients from names. Those that are blocked or filtered are told so by an extended error (RFC 8914), as far as they
 * understand EDNS; those that are dropped hear nothing. Stands in front of the cache, which knows nothing of clients.
 */
import { EDNS_OPTION, RCODE } from '../../dns/codes.ts';
import type { Edns } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { AclCounters } from './metrics.ts';
import { decide, type Stanza } from './rules.ts';

/** RFC 8914 sections 4.16 and 4.18. */
const BLOCKED = 15;
const FILTERED = 17;
/** What the OPT record says before the server puts the client's own size in. */
const UDP_SIZE = 4096;

export interface AclOptions {
  readonly stanzas: readonly Stanza[];
  readonly counters: AclCounters;
}

export function acl({ stanzas, counters }: AclOptions): Plugin {
  return (next) => (query) => {
    const { name, type } = query.question;
    const decision = decide(stanzas, { name, type, client: query.client.address });
    if (decision === undefined || decision.action === 'allow') return allow(query, next, counters);
    counters.refused[decision.action].with(query.server, decision.zone, query.view).inc();
    if (decision.action === 'drop') return { rcode: RCODE.NOERROR, drop: true };
    return decision.action === 'block'
      ? refusal(query, RCODE.REFUSED, BLOCKED)
      : refusal(query, RCODE.NOERROR, FILTERED);
  };
}

function allow(query: Query, next: Handler, counters: AclCounters): Reply | Promise<Reply> {
  counters.allowed.with(query.server, query.view).inc();
  return next(query);
}

function refusal(query: Query, rcode: number, extendedError: number): Reply {
  const data = Uint8Array.of(extendedError >> 8, extendedError & 0xff);
  const edns: Edns = {
    version: 0,
    udpSize: UDP_SIZE,
    dnssecOk: true,
    options: [{ code: EDNS_OPTION.EDE, data }],
  };
  return { rcode, message: replyTo(query.message, { rcode, edns }) };
}
