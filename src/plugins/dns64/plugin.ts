/**
 * DNS64 (RFC 6147): clients without IPv4 reach servers without IPv6 through a NAT64 box, if they are told an address that
 * leads there. So where a name has no AAAA record, one is made out of its A record. Deliberately absent, as in CoreDNS:
 * reverse look-ups of made-up addresses (section 5.3.1), and validation.
 */
import { CLASS, RCODE, TYPE } from '../../dns/codes.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { aaaaRecord, recordAddress } from '../../dns/rdata/address.ts';
import { readerOf, readU16 } from '../../dns/reader.ts';
import { replyTo } from '../../dns/reply.ts';
import { ipFamily } from '../../net/ip.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import type { Host } from '../contract.ts';
import { embedIpv4 } from './embed.ts';

/** RFC 6147 section 5.1.7: for denials that come without an SOA record. */
const DEFAULT_TTL_SECONDS = 600;

export interface Dns64Spec {
  readonly prefix: Prefix;
  /** Also where there are AAAA records, which are then kept from the client. */
  readonly translateAll: boolean;
  /** Also for clients that came over IPv4. */
  readonly allowIpv4: boolean;
}

export interface Dns64Options {
  readonly spec: Dns64Spec;
  readonly resolve: Host['resolve'];
  readonly onTranslated: (server: string) => void;
}

export function dns64(options: Dns64Options): Plugin {
  return (next) => (query) => {
    if (!isConcerned(query, options.spec)) return next(query);
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((late) => translate(query, late, options))
      : translate(query, reply, options);
  };
}

/**
 * A client that sends DO and CD wants to validate for itself and would take a made-up record for a forgery (RFC 6147
 * section 5.5): it gets what there is.
 */
function isConcerned({ question, client, message }: Query, { allowIpv4 }: Dns64Spec): boolean {
  if (question.type !== TYPE.AAAA || question.class !== CLASS.IN) return false;
  if (!allowIpv4 && ipFamily(client.address) === 4) return false;
  return !(message.flags.checkingDisabled && message.edns?.dnssecOk === true);
}

/** NXDOMAIN is true of A records as well; any other error is as good as an empty answer (RFC 6147 section 5.1.2). */
function translate(query: Query, reply: Reply, options: Dns64Options): Reply | Promise<Reply> {
  const { message } = reply;
  if (message === undefined || message.rcode === RCODE.NXDOMAIN) return reply;
  if (!options.spec.translateAll && message.answers.some(isUsable)) return reply;
  return fromIpv4(query, message, options).then((made) => made ?? reply);
}

/** Addresses in ::ffff:0:0/96 do not lead anywhere and count as absent (RFC 6147 section 5.1.4). */
function isUsable(record: ResourceRecord): boolean {
  if (record.type !== TYPE.AAAA) return false;
  const address = recordAddress(record);
  return address !== undefined && ipFamily(address) === 6;
}

/** Undefined: the answer for AAAA is the best there is. */
async function fromIpv4(query: Query, denial: Message, options: Dns64Options): Promise<Reply | undefined> {
  const { name } = query.question;
  const found = await options.resolve(query, name, TYPE.A);
  if (found === undefined) {
    return { rcode: RCODE.SERVFAIL, error: new Error(`no answer for the A records of ${name}`) };
  }
  if (found.rcode !== RCODE.NOERROR) return undefined;
  const hasIpv4 = found.answers.some(({ type }) => type === TYPE.A);
  if (!hasIpv4 && (denial.rcode === RCODE.NOERROR || denial.answers.length > 0)) return undefined;
  options.onTranslated(query.server);
  return { rcode: RCODE.NOERROR, message: synthesize(query.message, { denial, found, spec: options.spec }) };
}

interface Sources {
  readonly denial: Message;
  readonly found: Message;
  readonly spec: Dns64Spec;
}

/** What is not an A record stays as it is (section 5.3.3), but for signatures of records that are not there any more. */
function synthesize(query: Message, { denial, found, spec }: Sources): Message {
  const soa = denial.authorities.find(({ type }) => type === TYPE.SOA);
  const most = soa?.ttlSeconds ?? DEFAULT_TTL_SECONDS;
  const answers = found.answers
    .filter((record) => !signsIpv4(record))
    .map((record) => {
      const address = record.type === TYPE.A ? recordAddress(record) : undefined;
      if (address === undefined) return record;
      const ttlSeconds = Math.min(record.ttlSeconds, most);
      return aaaaRecord(record.name, ttlSeconds, embedIpv4(spec.prefix, address));
    });
  const { authorities, additionals } = found;
  const { recursionAvailable, truncated } = found.flags;
  const reply = replyTo(query, { answers, authorities, additionals, recursionAvailable });
  return truncated ? { ...reply, flags: { ...reply.flags, truncated } } : reply;
}

/** An RRSIG begins with the type that it signs (RFC 4034 section 3.1). */
function signsIpv4({ type, rdata }: ResourceRecord): boolean {
  return type === TYPE.RRSIG && readU16(readerOf(rdata)) === TYPE.A;
}
