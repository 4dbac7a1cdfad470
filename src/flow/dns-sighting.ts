/**
 * DNS messages in the bytes of one packet: one in a datagram, any number in a TCP segment (RFC 1035 section 4.2.2). The
 * kernel gives only the first bytes of a long payload; a message cut there still has its header and question, and is
 * marked as incomplete instead of guessed at. Segments that do not begin at a message give nothing.
 */
import { rcodeName, TYPE, typeName } from '../dns/codes.ts';
import { decodeHeader, decodeMessage, HEADER_BYTES } from '../dns/decode-message.ts';
import type { Message, ResourceRecord } from '../dns/message.ts';
import { recordAddress } from '../dns/rdata/address.ts';
import { readerOf, readName, readU16 } from '../dns/reader.ts';
import type { Protocol } from '../net/port.ts';
import type { DnsRecord } from './api.ts';

export interface DnsSighting {
  readonly id: number;
  readonly response: boolean;
  /** False when the kernel's copy ends inside the message: answers are then unknown, not absent. */
  readonly complete: boolean;
  /** Only of an answer with the TC bit: whether its server was told how much the client takes (RFC 6891). */
  readonly truncated?: 'with EDNS' | 'without EDNS';
  /** Without observation_source. */
  readonly record: DnsRecord;
}

export interface SightedPayload {
  readonly protocol: Protocol;
  readonly payload: Uint8Array;
  /** Of the whole transport payload, in bytes. */
  readonly payloadLength: number;
}

/** Where messages are looked for unless told otherwise: the port of DNS and the one at which its servers often listen. */
export const DEFAULT_DNS_PORTS: readonly number[] = [53, 5353];

/** A record without an answer has this TTL (spec hubble 5). */
export const NO_ANSWER_TTL = 4294967295;

export function sightDns({ protocol, payload, payloadLength }: SightedPayload): readonly DnsSighting[] {
  if (protocol === 'UDP') return sightMessage(payload, payload.length >= payloadLength);
  const sightings: DnsSighting[] = [];
  for (let offset = 0; payload.length - offset > HEADER_BYTES + 2; ) {
    const start = offset + 2;
    const length = readU16(readerOf(payload.subarray(offset)));
    // A segment that announces less than a header, or more than it carries, does not begin at a message.
    if (length < HEADER_BYTES || start + length > payloadLength) break;
    sightings.push(
      ...sightMessage(payload.subarray(start, start + length), start + length <= payload.length),
    );
    offset = start + length;
  }
  return sightings;
}

function sightMessage(bytes: Uint8Array, whole: boolean): readonly DnsSighting[] {
  const decoded = whole ? decodeMessage(bytes) : undefined;
  const sighting = decoded?.ok === true ? complete(decoded.value) : incomplete(bytes);
  return sighting === undefined ? [] : [sighting];
}

/** Only plain queries and their answers: opcode 0 with one question. */
function complete(message: Message): DnsSighting | undefined {
  const [question] = message.questions;
  if (message.opcode !== 0 || question === undefined || message.questions.length > 1) return undefined;
  const asked = { query: question.name, qtypes: [hubbleTypeName(question.type)] };
  const { id, answers, rcode } = message;
  if (!message.flags.response) return { id, response: false, complete: true, record: asked };
  const ips = answers.flatMap((answer) => recordAddress(answer) ?? []);
  const cnames = answers.filter(({ type }) => type === TYPE.CNAME).map(cnameTarget);
  const record: DnsRecord = {
    ...asked,
    ...(ips.length === 0 ? {} : { ips }),
    ttl: answers.reduce((lowest, { ttlSeconds }) => Math.min(lowest, ttlSeconds), NO_ANSWER_TTL),
    ...(cnames.length === 0 ? {} : { cnames }),
    ...(rcode === 0 ? {} : { rcode }),
    ...(answers.length === 0 ? {} : { rrtypes: answers.map(({ type }) => hubbleTypeName(type)) }),
  };
  const truncated = message.edns === undefined ? 'without EDNS' : 'with EDNS';
  return { id, response: true, complete: true, record, ...(message.flags.truncated ? { truncated } : {}) };
}

/** Header and question of a message that is cut, or whose later records are malformed. */
function incomplete(bytes: Uint8Array): DnsSighting | undefined {
  const header = decodeHeader(bytes);
  if (header === undefined || header.opcode !== 0 || header.counts.qd !== 1) return undefined;
  const reader = readerOf(bytes);
  reader.offset = HEADER_BYTES;
  const query = readName(reader);
  const type = readU16(reader);
  if (reader.failure !== undefined) return undefined;
  const record: DnsRecord = {
    query,
    qtypes: [hubbleTypeName(type)],
    ...(header.flags.response && header.rcode !== 0 ? { rcode: header.rcode } : {}),
  };
  return { id: header.id, response: header.flags.response, complete: false, record };
}

/** The data of a CNAME is one name, written out in full. */
function cnameTarget({ rdata }: ResourceRecord): string {
  return readName(readerOf(rdata));
}

/** The types Hubble knows by name (spec hubble 5); it prints all others as `Unknown`, and so do we. */
const HUBBLE_TYPES: ReadonlySet<number> = new Set([
  TYPE.A,
  TYPE.NS,
  TYPE.MD,
  TYPE.MF,
  TYPE.CNAME,
  TYPE.SOA,
  TYPE.MB,
  TYPE.MG,
  TYPE.MR,
  TYPE.NULL,
  TYPE.PTR,
  TYPE.HINFO,
  TYPE.MINFO,
  TYPE.MX,
  TYPE.TXT,
  TYPE.AAAA,
  TYPE.SRV,
  TYPE.OPT,
  TYPE.SVCB,
  TYPE.HTTPS,
  TYPE.URI,
]);
/** RFC 1035 section 3.2.2; nobody else here has a use for it. */
const TYPE_WKS = 11;

/** Whether Hubble has a word for this type of record. */
export function hasTypeWord(type: number): boolean {
  return type === TYPE_WKS || HUBBLE_TYPES.has(type);
}

export function hubbleTypeName(type: number): string {
  if (type === TYPE_WKS) return 'WKS';
  return HUBBLE_TYPES.has(type) ? typeName(type) : 'Unknown';
}

/** The words Hubble prints (spec hubble 5); the blank behind `Server Failure` is its own. */
const RCODE_TEXTS: readonly string[] = [
  'No Error',
  'Format Error',
  'Server Failure ',
  'Non-Existent Domain',
  'Not Implemented',
  'Query Refused',
  'Name Exists when it should not',
  'RR Set Exists when it should not',
  'RR Set that should exist does not',
  'Server Not Authoritative for zone',
  'Name not contained in zone',
];

export function rcodeText(rcode: number): string {
  return RCODE_TEXTS[rcode] ?? rcodeName(rcode);
}
