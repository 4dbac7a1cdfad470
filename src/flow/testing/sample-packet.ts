/** Packet events as the kernel would tell them, with real DNS messages inside. */
import type { PacketEvent } from '../../datapath/datapath.ts';
import { TYPE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { parseName } from '../../dns/name.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { type Port, toPort } from '../../net/port.ts';
import { ip } from './sample-cluster.ts';

export const CLIENT = peer('172.20.1.5', 41022);
export const VIP = peer('10.96.0.10', 53);
export const CACHE = peer('172.20.1.9', 53);
export const COREDNS = peer('172.20.0.23', 53);

export function peer(address: string, port: number): { address: ReturnType<typeof ip>; port: Port } {
  const parsed = toPort(port);
  if (parsed === undefined) throw new Error(`no port: ${port}`);
  return { address: ip(address), port: parsed };
}

export function name(text: string) {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`no name: ${text}`);
  return parsed;
}

export function dnsMessage(fields: Partial<Message> & { readonly response?: boolean } = {}): Uint8Array {
  const { response = false, ...rest } = fields;
  return encodeMessage({
    id: 49886,
    opcode: 0,
    rcode: 0,
    flags: {
      response,
      authoritative: false,
      truncated: false,
      recursionDesired: true,
      recursionAvailable: response,
      zero: false,
      authenticData: false,
      checkingDisabled: false,
    },
    questions: [{ name: name('google.com.'), type: TYPE.A, class: 1 }],
    answers: [],
    authorities: [],
    additionals: [],
    ...rest,
  });
}

export function answerRecord(address: string, ttlSeconds = 30): ResourceRecord {
  return addressRecord(name('google.com.'), ttlSeconds, ip(address));
}

export const QUERY = dnsMessage();
export const ANSWER = dnsMessage({ response: true, answers: [answerRecord('142.250.196.110')] });

/** A query that leaves the client for the service's address; `fields` say what is different. */
export function packet(fields: Partial<PacketEvent> = {}): PacketEvent {
  const payload = fields.payload ?? QUERY;
  return {
    timeNs: 1_000_000n,
    hook: 'from-endpoint',
    ifindex: 7,
    verdict: 'forwarded',
    protocol: 'UDP',
    source: CLIENT,
    destination: VIP,
    tcpFlags: 0,
    payload,
    payloadLength: payload.length,
    ...fields,
  };
}
