/**
 * What kind of answer a reply is (dns-server 2.5): `cache` decides by it what to keep, `log` what to print. The order of
 * the tests is part of the contract, a NOERROR reply with both answers and an SOA is an answer.
 */
import { OPCODE, RCODE, TYPE } from './codes.ts';
import type { Message, ResourceRecord } from './message.ts';
import { readerOf, readU32 } from './reader.ts';

export type MessageKind =
  | 'NOERROR'
  | 'NXDOMAIN'
  | 'NODATA'
  | 'DELEGATION'
  | 'META'
  | 'UPDATE'
  | 'SERVERERROR'
  | 'OTHERERROR';
export type MessageClass = 'success' | 'denial' | 'error';

/** Bytes of an RRSIG in front of its expiration: type, algorithm, labels, original TTL (RFC 4034 section 3.1). */
const RRSIG_EXPIRATION = 8;

/** `nowSeconds` since the epoch, for the validity of signatures. */
export function messageKind(message: Message | undefined, nowSeconds: number): MessageKind {
  if (message === undefined) return 'OTHERERROR';
  if (message.opcode === OPCODE.UPDATE) return 'UPDATE';
  if (message.opcode === OPCODE.NOTIFY || isTransfer(message)) return 'META';
  if (message.edns?.dnssecOk && hasStaleSignature(message, nowSeconds)) return 'OTHERERROR';
  const { rcode, answers, authorities } = message;
  if (rcode === RCODE.NXDOMAIN) return answers.length > 0 ? 'OTHERERROR' : 'NXDOMAIN';
  if (rcode === RCODE.SERVFAIL || rcode === RCODE.NOTIMP) return 'SERVERERROR';
  if (rcode !== RCODE.NOERROR) return 'OTHERERROR';
  if (answers.length > 0) return 'NOERROR';
  if (authorities.some((record) => record.type === TYPE.SOA)) return 'NODATA';
  return authorities.some((record) => record.type === TYPE.NS) ? 'DELEGATION' : 'NOERROR';
}

export function messageClass(kind: MessageKind): MessageClass {
  if (kind === 'NOERROR' || kind === 'DELEGATION') return 'success';
  return kind === 'NXDOMAIN' || kind === 'NODATA' ? 'denial' : 'error';
}

function isTransfer(message: Message): boolean {
  const type = message.questions[0]?.type;
  return type === TYPE.AXFR || type === TYPE.IXFR;
}

function hasStaleSignature(message: Message, nowSeconds: number): boolean {
  const sections = [message.answers, message.authorities, message.additionals];
  return sections.some((records) => records.some((record) => isStaleSignature(record, nowSeconds)));
}

/** Times are 32-bit serial numbers (RFC 4034 section 3.1.5), so that they survive the year 2106. */
function isStaleSignature(record: ResourceRecord, nowSeconds: number): boolean {
  if (record.type !== TYPE.RRSIG) return false;
  const reader = readerOf(record.rdata);
  reader.offset = RRSIG_EXPIRATION;
  const expiration = readU32(reader);
  const inception = readU32(reader);
  const now = Math.floor(nowSeconds) | 0;
  return reader.failure !== undefined || ((now - inception) | 0) < 0 || ((expiration - now) | 0) < 0;
}
