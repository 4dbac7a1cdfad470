/**
 * Finds out whether queries sent to upstreams come back to this very server, as they do when /etc/resolv.conf names it.
 * At the start one query with a name nobody else knows is sent to the own listener; seeing it three times is proof, and
 * then the process ends at once: a loop multiplies every query until the node gives in (dns-server 3.8).
 */
import { TYPE } from '../../dns/codes.ts';
import { equalNames, type Name } from '../../dns/name.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { Plugin, SocketAddress } from '../../server/handler.ts';
import type { Log } from '../../telemetry/log.ts';

/** What the probe and the chain both look at. */
export interface Watch {
  /** The name of the probe: two random numbers in front of the zone. */
  readonly qname: Name;
  readonly zone: Name;
  /** `127.0.0.1:53`, or `:53` on all addresses. Known once the sockets are open. */
  listener: string;
  /** How often the probe was seen. */
  seen: number;
  over: boolean;
}

/** The probe itself is the first, its echo the second; a client that asks again by itself could make that two. */
const MOST_SEEN = 2;
const TROUBLESHOOTING = 'https://coredns.io/plugins/loop#troubleshooting';

export function loop(watch: Watch, log: Log): Plugin {
  return (next) => (query) => {
    const { name, type } = query.question;
    if (watch.over || type !== TYPE.HINFO || !equalNames(name, watch.qname)) return next(query);
    watch.seen++;
    if (watch.seen > MOST_SEEN) log.fatal(loopText(watch, query.client));
    return next(query);
  };
}

function loopText({ listener, qname, zone }: Watch, client: SocketAddress): string {
  const path = `${formatAddressPort(client.address, client.port)} -> ${listener}`;
  return `Loop (${path}) detected for zone "${zone}", see ${TROUBLESHOOTING}. Query: "HINFO ${qname}"`;
}
