/**
 * What happens to every reply on its way out (dns-server 2.3): the client's OPT record is answered, the size limit and
 * the compression rules are applied. Plugins need to know nothing of these.
 */
import { EDNS_OPTION } from '../dns/codes.ts';
import { encodeMessage, MAX_MESSAGE_BYTES } from '../dns/encode-message.ts';
import type { Edns, Message } from '../dns/message.ts';
import { type IpFamily, ipFamily } from '../net/ip.ts';
import type { SocketAddress } from './handler.ts';

/** RFC 1035 section 4.2.1, and the floor of what OPT may advertise (RFC 6891 section 6.2.5). */
const MIN_UDP_BYTES = 512;
/** 65535 less the IPv4 and UDP headers: a larger datagram cannot be sent at all. */
const MAX_UDP_BYTES = 65_507;
/** UDP replies above this are compressed even if the client takes more, to stay in one Ethernet frame. */
const COMPRESS_ABOVE: Readonly<Record<IpFamily, number>> = { 4: 1480, 6: 1220 };

/** Client options that go back as they came; ECS and unknown ones do not. */
const ECHOED: ReadonlySet<number> = new Set([
  EDNS_OPTION.NSID,
  EDNS_OPTION.EXPIRE,
  EDNS_OPTION.COOKIE,
  EDNS_OPTION.TCP_KEEPALIVE,
  EDNS_OPTION.PADDING,
]);

/** Whether an option with this code goes back to the client that sent it. */
export function isEchoedOption(code: number): boolean {
  return ECHOED.has(code);
}

export interface Delivery {
  readonly client: SocketAddress;
  readonly transport: 'udp' | 'tcp';
  /** Codes that a plugin wants echoed as well. */
  readonly keptOptions?: ReadonlySet<number>;
}

/** The reply's own ID and flags are replaced where they would not match the query. */
export function finishReply(query: Message, reply: Message, delivery: Delivery): Uint8Array {
  // Field by field: a rest pattern and a conditional spread cost more here than the encoding does.
  const plain = {
    id: query.id,
    opcode: reply.opcode,
    rcode: reply.rcode,
    flags: reply.flags.response ? reply.flags : { ...reply.flags, response: true },
    questions: reply.questions,
    answers: reply.answers,
    authorities: reply.authorities,
    additionals: reply.additionals,
  };
  const finished: Message = query.edns
    ? { ...plain, edns: answerEdns(query.edns, reply.edns, delivery.keptOptions) }
    : plain;
  const limit = replyLimit(query, delivery.transport);
  if (delivery.transport === 'tcp') return encodeMessage(finished, { limit });
  return encodeMessage(finished, { limit, compressAbove: COMPRESS_ABOVE[ipFamily(delivery.client.address)] });
}

/** Bytes a reply to `query` may have. */
export function replyLimit(query: Message, transport: 'udp' | 'tcp'): number {
  if (transport === 'tcp') return MAX_MESSAGE_BYTES;
  return Math.min(Math.max(query.edns?.udpSize ?? 0, MIN_UDP_BYTES), MAX_UDP_BYTES);
}

/** A plugin's own OPT record keeps its options: they are answers of this server or of its upstream. */
function answerEdns(client: Edns, own: Edns | undefined, kept: ReadonlySet<number> | undefined): Edns {
  const options =
    own?.options ?? client.options.filter(({ code }) => isEchoedOption(code) || kept?.has(code) === true);
  return { version: 0, udpSize: client.udpSize, dnssecOk: client.dnssecOk, options };
}
