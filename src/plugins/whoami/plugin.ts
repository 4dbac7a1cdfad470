/**
 * Tells a client how this server sees it: address, port and transport. The smallest plugin there is, and the pattern
 * for the others: a plugin is a function from the next handler to a handler, and a reply is a value made in one piece.
 */
import { joinName, ROOT } from '../../dns/name.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { srvRecord } from '../../dns/rdata/srv.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin } from '../../server/handler.ts';

/** Answers every query itself, so what stands behind it in the chain is never asked (dns-server 3.13). */
export const whoami: Plugin = () => (query) => {
  const { client, question, transport } = query;
  const address = addressRecord(question.name, 0, client.address);
  // A name of 251 bytes or more leaves no room for the label in front: then there is no SRV record to give.
  const service = joinName([`_${transport}`], question.name);
  const port = service && srvRecord(service, 0, { priority: 0, weight: 0, port: client.port, target: ROOT });
  const message = replyTo(query.message, {
    authoritative: true,
    additionals: port ? [address, port] : [address],
  });
  return { rcode: message.rcode, message };
};
