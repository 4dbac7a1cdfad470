/** Queries and records for tests, written the way `dig` writes them. */
import { CLASS, parseType } from '../dns/codes.ts';
import { encodeMessage } from '../dns/encode-message.ts';
import type { ResourceRecord } from '../dns/message.ts';
import { ROOT } from '../dns/name.ts';
import { plainQuery } from '../dns/plain-query.ts';
import { addressRecord } from '../dns/rdata/address.ts';
import { soaRecord } from '../dns/rdata/soa.ts';
import { cnameRecord, nsRecord, ptrRecord } from '../dns/rdata/target.ts';
import { txtRecord } from '../dns/rdata/text.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import type { Query } from '../server/handler.ts';
import { name } from './fake-host.ts';

export interface AskOptions {
  readonly client?: string;
  readonly port?: number;
  readonly transport?: 'udp' | 'tcp';
  readonly dnssecOk?: boolean;
  readonly authenticData?: boolean;
  readonly checkingDisabled?: boolean;
  readonly recursionDesired?: boolean;
  /** With EDNS when given (`dnssecOk` alone means 1232). */
  readonly udpSize?: number;
  readonly class?: number;
  readonly id?: number;
}

/** A query for `qname` and the type called `qtype` from 10.0.0.1:40000, by UDP, with RD, without EDNS. */
export function ask(qname: string, qtype = 'A', options: AskOptions = {}): Query {
  const question = { name: name(qname), type: parseType(qtype) ?? 0, class: options.class ?? CLASS.IN };
  const edns = options.dnssecOk || options.udpSize !== undefined;
  const plain = plainQuery(question, {
    id: options.id ?? 4711,
    recursionDesired: options.recursionDesired ?? true,
  });
  const flags = {
    ...plain.flags,
    authenticData: options.authenticData ?? false,
    checkingDisabled: options.checkingDisabled ?? false,
  };
  const message = { ...plain, flags, questions: [question], ...(edns && { edns: ednsOf(options) }) };
  return {
    message,
    question,
    wire: encodeMessage(message),
    client: { address: ip(options.client ?? '10.0.0.1'), port: options.port ?? 40_000 },
    local: { address: ip('10.0.0.2'), port: 53 },
    transport: options.transport ?? 'udp',
    server: 'dns://:53',
    zone: ROOT,
    receivedAtMs: 0,
    view: '',
    metadata: new Map(),
  };
}

function ednsOf({ udpSize = 1232, dnssecOk = false }: AskOptions) {
  return { version: 0, udpSize, dnssecOk, options: [] };
}

/** For tests: throws when the text is no address. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

/** `example.org. 300 A 192.0.2.1`; knows A, AAAA, CNAME, NS, PTR, TXT and SOA. */
export function record(text: string): ResourceRecord {
  const [owner = '', ttl = '', type = '', data = ''] = text.trim().split(/\s+/);
  const ttlSeconds = Number(ttl);
  switch (type) {
    case 'A':
    case 'AAAA':
      return addressRecord(name(owner), ttlSeconds, ip(data));
    case 'CNAME':
      return cnameRecord(name(owner), ttlSeconds, name(data));
    case 'NS':
      return nsRecord(name(owner), ttlSeconds, name(data));
    case 'PTR':
      return ptrRecord(name(owner), ttlSeconds, name(data));
    case 'TXT':
      return txtRecord(name(owner), ttlSeconds, [data]);
    case 'SOA':
      return soaRecord(name(owner), ttlSeconds, {
        mname: name(`ns.${owner}`),
        rname: name(`hostmaster.${owner}`),
        serial: 1,
        refreshSeconds: 7200,
        retrySeconds: 1800,
        expireSeconds: 86_400,
        minimumSeconds: 60,
      });
    default:
      throw new Error(`not a record: ${text}`);
  }
}
