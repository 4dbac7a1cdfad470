/**
 * Whether what the program made of a frame is what user space would have sent: the same message, but for the order of
 * addresses where it is drawn, in a frame that goes back to where the query came from. Shares nothing with `src/dns`.
 */
import { readPacket } from '../../../src/datapath/testing/test-packet.ts';
import { PASS_ON, REDIRECTED, type RunResult } from '../../../src/datapath/testing/test-programs.ts';
import type { ServerEnd } from './answer-sides.ts';

/** What is asked of user space, at a moment of the cache's clock. */
export type AskUserSpace = (query: Uint8Array, inOrder: boolean) => Uint8Array | undefined;

const ETHERNET_BYTES = 14;
const HEADER_BYTES = 12;
const OPT = 41;
const OPT_BYTES = 11;
const COOKIE = 10;
const SAME_FOR_EVERYBODY = { 4: 1480, 6: 1220 } as const;
const [A, AAAA] = [1, 28];

/** Frame kinds of which nothing may be answered. */
export function mustPass(kind: string, family: 4 | 6): boolean {
  if (kind === 'no checksum') return family === 6;
  return kind !== 'whole' && kind !== 'wrong checksum' && kind !== 'padded';
}

export function wasPassed(frame: Uint8Array, { verdict, packet }: RunResult): boolean {
  return verdict === PASS_ON && Buffer.compare(frame, packet) === 0;
}

/** The server's reply, whole, as the chain finishes it: an OPT record's cookie goes back as it came. */
export function userSpaceReply(
  query: Uint8Array,
  { family }: ServerEnd,
  ask: (query: Uint8Array) => Uint8Array | undefined,
): Uint8Array | undefined {
  const cookieAt = findCookie(query);
  if (cookieAt === undefined) return ask(query);
  const cookie = query.subarray(cookieAt);
  const bare = query.slice(0, cookieAt);
  bare.fill(0, -2);
  const reply = ask(bare);
  if (reply === undefined) return undefined;
  const whole = Uint8Array.from([...reply.subarray(0, -2), 0, cookie.length, ...cookie]);
  const size = ((bare.at(-8) ?? 0) << 8) | (bare.at(-7) ?? 0);
  return whole.length <= Math.max(512, size) && whole.length <= SAME_FOR_EVERYBODY[family]
    ? whole
    : undefined;
}

/** Where the option begins that is all that a lone OPT record at the message's end has (RFC 7873 section 4). */
function findCookie(query: Uint8Array): number | undefined {
  const questionEnd = skipName(query, HEADER_BYTES) + 4;
  const at = questionEnd + OPT_BYTES;
  const length = query.length - at - 4;
  if (query[10] !== 0 || query[11] !== 1 || !(length === 8 || (length >= 16 && length <= 40)))
    return undefined;
  const says = [query[at - 2], query[at - 1], query[at], query[at + 1], query[at + 2], query[at + 3]];
  const wanted = [0, length + 4, 0, COOKIE, 0, length];
  return wanted.every((byte, i) => byte === says[i]) ? at : undefined;
}

/** What is wrong with the frame around the reply; undefined: nothing. */
export function frameFault(
  frame: Uint8Array,
  { verdict, packet }: RunResult,
  { family }: ServerEnd,
): string | undefined {
  if (verdict !== REDIRECTED) return `its verdict is ${verdict}`;
  const l4 = ETHERNET_BYTES + (family === 4 ? 20 : 40);
  if (packet.length < l4 + 8 + HEADER_BYTES) return 'it is cut off';
  if (!isSwapped(frame, packet, 0, 6)) return 'its stations are not swapped';
  if (packet[12] !== frame[12] || packet[13] !== frame[13]) return 'it has another ethertype';
  if (!isSwapped(frame, packet, family === 4 ? 26 : 22, family === 4 ? 4 : 16))
    return 'its addresses are not swapped';
  if (!isSwapped(frame, packet, l4, 2)) return 'its ports are not swapped';
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (view.getUint16(l4 + 4) !== packet.length - l4) return 'its UDP length is wrong';
  const head = Buffer.from(
    packet.subarray(ETHERNET_BYTES, ETHERNET_BYTES + (family === 4 ? 10 : 8)),
  ).toString('hex');
  const length = hex16(packet.length - (family === 4 ? ETHERNET_BYTES : l4));
  // RFC 791 and 8200: no service class, no fragments, TTL 64, UDP.
  const wanted = family === 4 ? `4500${length}000040004011` : `60000000${length}1140`;
  if (head !== wanted) return `its IP header is ${head}`;
  const [asked, reply] = [readPacket(frame), readPacket(packet)];
  // What was damaged on its way stays so: nobody may take the reply for one to what was asked.
  if (reply.intact !== asked.intact) return 'its checksums are wrong';
  return reply.noChecksum === asked.noChecksum
    ? undefined
    : 'it has a checksum that was not asked for, or none';
}

/** What is wrong with the message; `inOrder` is user space's before it changes any order, `drawn` with an order of its own. */
export function messageFault(
  reply: Uint8Array,
  { inOrder, drawn }: { readonly inOrder: Uint8Array | undefined; readonly drawn: Uint8Array | undefined },
  mayRotate: boolean,
): string | undefined {
  if (inOrder === undefined || drawn === undefined) return 'user space answers nothing';
  if (Buffer.compare(reply, inOrder) === 0) return undefined;
  if (mayRotate && isRotated(reply, inOrder)) return undefined;
  return `user space says ${Buffer.from(inOrder).toString('hex')}`;
}

/** The same message but for what may differ: the order within sections, the TTLs. */
export function isAlike(
  one: Uint8Array,
  other: Uint8Array,
  { mayTurn, mayAge }: { readonly mayTurn: boolean; readonly mayAge: boolean },
): boolean {
  const [a, b] = [one, other].map((message) => {
    const [head = new Uint8Array(), ...records] = cut(message);
    const shown = records.map((record) => Buffer.from(mayAge ? withoutTtl(record) : record).toString('hex'));
    return [Buffer.from(head).toString('hex'), ...(mayTurn ? shown.sort() : shown)].join(' ');
  });
  return a === b;
}

/** An OPT record has flags there, which do not age. */
function withoutTtl(record: Uint8Array): Uint8Array {
  return typeOf(record) === OPT
    ? record
    : record.slice().fill(0, skipName(record, 0) + 4, skipName(record, 0) + 8);
}

/** One run of addresses of one section begins elsewhere in itself; everything else is the same. */
function isRotated(reply: Uint8Array, inOrder: Uint8Array): boolean {
  const ours = cut(inOrder);
  const theirs = cut(reply).map((piece) => Buffer.from(piece).toString('hex'));
  const pieces = ours.map((piece) => Buffer.from(piece).toString('hex'));
  const isAddress = ours.map((piece, i) => i > 0 && [A, AAAA].includes(typeOf(piece)));
  for (let first = 1; first < pieces.length; first++) {
    if (!isAddress[first] || isAddress[first - 1]) continue;
    const next = isAddress.findIndex((is, i) => i > first && !is);
    const end = next < 0 ? pieces.length : next;
    for (let by = 1; by < end - first; by++) {
      const turned = [...pieces.slice(first + by, end), ...pieces.slice(first, first + by)];
      const whole = [...pieces.slice(0, first), ...turned, ...pieces.slice(end)];
      if (whole.length === theirs.length && whole.every((piece, i) => piece === theirs[i])) return true;
    }
  }
  return false;
}

/** Header and question, then record by record. Nothing is compressed. */
function cut(message: Uint8Array): Uint8Array[] {
  let at = skipName(message, HEADER_BYTES) + 4;
  const pieces = [message.subarray(0, at)];
  while (at < message.length) {
    const fixed = skipName(message, at);
    const end = fixed + 10 + (((message[fixed + 8] ?? 0) << 8) | (message[fixed + 9] ?? 0));
    pieces.push(message.subarray(at, end));
    at = end;
  }
  return pieces;
}

function typeOf(record: Uint8Array): number {
  const at = skipName(record, 0);
  return ((record[at] ?? 0) << 8) | (record[at + 1] ?? 0);
}

/** Behind the root's zero; beyond the end when there is none. */
function skipName(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + (bytes[at] ?? 0);
  return at + 1;
}

function isSwapped(one: Uint8Array, other: Uint8Array, at: number, size: number): boolean {
  for (let i = 0; i < size; i++) {
    if (one[at + i] !== other[at + size + i] || one[at + size + i] !== other[at + i]) return false;
  }
  return true;
}

const hex16 = (value: number) => value.toString(16).padStart(4, '0');
