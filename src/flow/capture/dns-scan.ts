/**
 * A DNS message as far as counting needs it, read in place and without making anything: every message on the node passes
 * here. Agrees with `sightDns`, which reads the few that are looked at. Attackers write these bytes: each loop is bounded by
 * the message's length, and names are stepped over, never followed.
 */
import { TYPE } from '../../dns/codes.ts';
import { HEADER_BYTES } from '../../dns/decode-message.ts';

/** Answer records that are told by type; more are not counted. */
export const MOST_TYPES = 32;

/** One scanner's last message. */
export interface DnsScan {
  /** As it lies in the message. */
  id: number;
  isResponse: boolean;
  rcode: number;
  qtype: number;
  /** Bytes of the name that is asked for, as it lies there: 1 to 255. */
  nameBytes: number;
  /** A and AAAA records among the answers. */
  addresses: number;
  readonly types: Uint16Array;
  /** How many of `types` count. */
  typeCount: number;
}

export function createDnsScan(): DnsScan {
  const types = new Uint16Array(MOST_TYPES);
  const none = { id: 0, isResponse: false, rcode: 0, qtype: 0, nameBytes: 0 };
  return { ...none, addresses: 0, types, typeCount: 0 };
}

const OPCODE_MASK = 0x78;
const LONGEST_NAME = 255;

/**
 * Reads the message in `bytes[at..end)` into `out`. False for what is no plain query or answer to one: opcode 0 with one
 * question (RFC 1035 section 4.1). Answers of a message that ends too early are counted as far as they come.
 */
export function scanDns(out: DnsScan, bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < HEADER_BYTES) return false;
  const flags = bytes[at + 2] ?? 0;
  if ((flags & OPCODE_MASK) !== 0 || u16(bytes, at + 4) !== 1) return false;
  const afterName = skipQuestion(bytes, at + HEADER_BYTES, end);
  if (afterName < 0 || afterName + 2 > end) return false;
  out.id = u16(bytes, at);
  out.isResponse = (flags & 0x80) !== 0;
  out.rcode = out.isResponse ? (bytes[at + 3] ?? 0) & 0x0f : 0;
  out.qtype = u16(bytes, afterName);
  out.nameBytes = afterName - at - HEADER_BYTES;
  out.addresses = 0;
  out.typeCount = 0;
  if (out.isResponse) scanAnswers(out, bytes, { from: afterName + 4, end, count: u16(bytes, at + 6) });
  return true;
}

/** The byte behind the question's name, which is not compressed: there is nothing before it. Negative: no name. */
function skipQuestion(bytes: Uint8Array, from: number, end: number): number {
  const last = Math.min(end, from + LONGEST_NAME);
  for (let at = from; at < last; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) return at + 1;
    if (length > 63 || at + 1 + length >= last) return -1;
    at += 1 + length;
  }
  return -1;
}

interface Answers {
  readonly from: number;
  readonly end: number;
  readonly count: number;
}

function scanAnswers(out: DnsScan, bytes: Uint8Array, { from, end, count }: Answers): void {
  let at = from;
  for (let left = count; left > 0; left--) {
    at = skipName(bytes, at, end);
    if (at < 0 || at + 10 > end) return;
    const type = u16(bytes, at);
    at += 10 + u16(bytes, at + 8);
    if (at > end) return;
    if (type === TYPE.A || type === TYPE.AAAA) out.addresses++;
    if (out.typeCount < MOST_TYPES) out.types[out.typeCount++] = type;
  }
}

/** The byte behind a name; a pointer ends it (RFC 1035 section 4.1.4). Negative: it does not end. */
function skipName(bytes: Uint8Array, from: number, end: number): number {
  const last = Math.min(end, from + LONGEST_NAME + 1);
  for (let at = from; at < last; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return -1;
    at += 1 + length;
  }
  return -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
