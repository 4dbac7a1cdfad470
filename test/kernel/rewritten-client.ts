/**
 * `node rewritten-client.ts ADDRESS COUNT` asks ADDRESS port 53 for the hot names as fast as it can, 64 at a time, each with its
 * letters in another case, and judges every reply: one JSON line (`ClientReport`). Replies that are no TXT record are from
 * somebody else, who was asked because there was no answer just then.
 */
import { randomBytes } from 'node:crypto';
import { parseIp } from '../../src/net/ip.ts';
import { DatagramBatch, MSG_WAITFORONE } from '../../src/sys/datagram-batch.ts';
import { closeDescriptor, openDatagramSocket } from '../../src/sys/datagram-socket.ts';
import { encodeSockaddr } from '../../src/sys/sockaddr.ts';
import { buildPacket } from '../fuzz/wire/packet-builder.ts';
import { HOT_NAMES, hotName, readVersion, TEXT_BYTES, TXT } from './rewritten-answers.ts';

export interface ClientReport {
  readonly asked: number;
  /** With a record of the name that was asked for. */
  readonly answered: number;
  /** From somebody else. */
  readonly others: number;
  /** Not within a second. */
  readonly lost: number;
  /** Of those answered, how many had another version than the answer before to the same name. */
  readonly changes: number;
  /** The youngest version that was seen of each name; 0: none. */
  readonly versions: readonly number[];
  /** What was wrong with the first few. */
  readonly faults: readonly string[];
}

const IN_FLIGHT = 64;
const HEADER_BYTES = 12;
/** Type and class; with TTL and length. */
const QUESTION_TAIL = 4;
const RECORD_FIELDS = 10;
const MOST_FAULTS = 10;
const TTL_SECONDS = 300;
/** A reply with authority to a query with RD, by a server that recurses (RFC 1035 section 4.1.1). */
const FLAGS = 0x8580;

const [address = '', wanted = '0'] = process.argv.slice(2);
const ip = parseIp(address);
const any = parseIp('0.0.0.0');
if (ip === undefined || any === undefined) throw new Error(`Not an address: ${address}`);
const peer = encodeSockaddr(ip, 53);
const fd = openDatagramSocket({
  ...{ family: 4, address: encodeSockaddr(any, 0), packetInfo: false },
  receiveTimeoutMs: 1000,
  receiveBufferBytes: 4 << 20,
});
const batch = new DatagramBatch(IN_FLIGHT);
const queries = Array.from({ length: HOT_NAMES }, (_, i) => buildPacket({ name: hotName(i), type: TXT }));
/** All names are of one length. The record bears its owner's whole name. */
const questionEnd = queries[0]?.length ?? 0;
const nameBytes = questionEnd - HEADER_BYTES - QUESTION_TAIL;
const recordEnd = questionEnd + nameBytes + RECORD_FIELDS + 1 + TEXT_BYTES;
/** What flies, by the lower byte of its id. */
const flying: (Flown | undefined)[] = Array.from({ length: 256 }, () => undefined);
const versions = new Array<number>(HOT_NAMES).fill(0);
const faults: string[] = [];
let [asked, answered, others, lost, changes] = [0, 0, 0, 0, 0];
const noControl = new Uint8Array(0);

function ask(): void {
  const cases = randomBytes(IN_FLIGHT);
  for (let i = 0; i < IN_FLIGHT; i++) {
    const index = (asked * 7 + i) % HOT_NAMES;
    const query = Uint8Array.from(queries[index] ?? []);
    const id = asked & 0xffff;
    query[0] = id >> 8;
    query[1] = id;
    // A letter of the first label.
    const letter = HEADER_BYTES + 1 + ((cases[i] ?? 0) % 3);
    query[letter] = (query[letter] ?? 0) ^ ((cases[i] ?? 0) & 0x20);
    flying[id & 0xff] = { id, index, query };
    batch.add(peer, noControl, query);
    asked++;
  }
  batch.send(fd);
}

interface Flown {
  readonly id: number;
  readonly index: number;
  readonly query: Uint8Array;
}

/** The version of the record; -1: somebody else's answer; a text: what is wrong with it. */
function read(view: DataView, { index, query }: Flown): number | string {
  for (let i = HEADER_BYTES; i < questionEnd; i++) {
    if (view.getUint8(i) !== query[i]) return 'its question is not the one that was asked';
  }
  // The server's own is shorter than any of ours.
  if (view.byteLength < recordEnd) return -1;
  if (view.byteLength !== recordEnd) return `it has ${view.byteLength} bytes`;
  const lower = queries[index];
  for (let i = 0; i < nameBytes; i++) {
    if (view.getUint8(questionEnd + i) !== lower?.[HEADER_BYTES + i]) return 'its owner has another name';
  }
  const flags = view.getUint16(2);
  if (flags !== FLAGS || view.getUint16(6) !== 1) return `its header is ${flags.toString(16)}`;
  const ttl = view.getUint32(questionEnd + nameBytes + 4);
  if (ttl > TTL_SECONDS || ttl === 0) return `its TTL is ${ttl}`;
  const version = readVersion(view, recordEnd - 1 - TEXT_BYTES, index);
  if (version < 0)
    return `it is torn or another's: ${Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex')}`;
  const last = versions[index] ?? 0;
  return version < last ? `version ${version} came after ${last}` : version;
}

function judge(at: number, length: number): void {
  const view = new DataView(batch.memory, at, length);
  const id = view.getUint16(0);
  const mine = flying[id & 0xff];
  // Of a batch that was given up.
  if (mine === undefined || mine.id !== id) return;
  flying[id & 0xff] = undefined;
  const version = read(view, mine);
  if (typeof version === 'string') {
    if (faults.length < MOST_FAULTS) faults.push(`${hotName(mine.index)}: ${version}`);
  } else if (version < 0) others++;
  else {
    answered++;
    if (version !== versions[mine.index]) changes++;
    versions[mine.index] = version;
  }
}

while (asked < Number(wanted)) {
  ask();
  for (let left = IN_FLIGHT; left > 0; ) {
    const count = batch.receive(fd, MSG_WAITFORONE);
    if (count < 0) {
      lost += left;
      break;
    }
    for (let i = 0; i < count; i++) judge(batch.packetAt(i), batch.packetLength(i));
    left -= count;
  }
}
closeDescriptor(fd);
const report: ClientReport = { asked, answered, others, lost, changes, versions, faults };
console.log(JSON.stringify(report));
