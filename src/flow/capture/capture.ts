/**
 * What is done with every packet, of tens of thousands a second: it is kept as it is, and counted. Nothing is made of it
 * here but numbers; flows are put together of those that somebody reads (`../expand`), by the same rules:
 *
 *   forwarded 1 flow, redirected 4, restored 3, fell-back 2, answered 3, and one for each DNS message that is told at this hook:
 *   of answered the record has the answer, and the query is told from it
 *   dropped 1, whatever is in it: hooks tell of messages, and this was at none
 *
 * A message is told once in a cluster: at the client pod's own interface, or at the server's when its client is no pod.
 */
import {
  PAYLOAD_AT,
  type PacketSink,
  RECORD_AT,
  type RecordMemory,
  type RecordRoom,
  VERDICT_NUMBERS,
} from '../../datapath/packet-record.ts';
import { createDnsScan, scanDns } from './dns-scan.ts';
import type { FlowCounters } from './flow-counters.ts';
import { OpenQueries } from './open-queries.ts';
import type { PacketLog, PacketNote } from './packet-log.ts';
import type { TopClients } from './top-clients.ts';

export interface CaptureOptions {
  readonly log: PacketLog;
  readonly counters: FlowCounters;
  readonly clients: TopClients;
  /** Ports at which messages are DNS. */
  readonly dnsPorts: ReadonlySet<number>;
  /** Is the address in the four words from `at` a pod's? Asked for messages seen at the server's side alone. */
  readonly isPod: (words: Int32Array, at: number, hash: number) => boolean;
  /** Whether a packet is the agent's own: nobody's flow. Asked once for each, so it must know at a glance. */
  readonly isOwn: (memory: RecordMemory, at: number, length: number) => boolean;
  /** Called with answers that hold addresses, told here. */
  readonly onAnswer?: (memory: RecordMemory, at: number, length: number) => void;
  /** Any 32 bits that pods do not know. */
  readonly seed: number;
}

const {
  forwarded: FORWARDED,
  redirected: REDIRECTED,
  restored: RESTORED,
  'fell-back': FELL_BACK,
  dropped: DROPPED,
  answered: KERNEL_ANSWERED,
} = VERDICT_NUMBERS;
/** By the number of the verdict; without a translation a packet is one flow, two if it fell back. */
const FLOWS = new Uint8Array(6);
FLOWS[FORWARDED] = 1;
FLOWS[REDIRECTED] = 4;
FLOWS[RESTORED] = 3;
FLOWS[FELL_BACK] = 2;
FLOWS[KERNEL_ANSWERED] = 3;
const ONE_FLOW: PacketNote = { flows: 1, latencyNs: -1 };
const UDP = 17;
const TCP = 6;
/** Third word of a mapped address, as it lies in memory. */
const [MAPPED = 0] = new Int32Array(Uint8Array.of(0, 0, 0xff, 0xff).buffer);
const UNKNOWN = -1;
const ASKED = 0;
const ANSWERED = 1;

export class FlowCapture implements PacketSink {
  readonly #options: CaptureOptions;
  readonly #scan = createDnsScan();
  readonly #open = new OpenQueries();
  /** Packets that never came here, for want of room in the kernel's ring. */
  lostEver = 0;
  /** Written anew for each packet: making one costs more than keeping the packet. */
  readonly #note = { flows: 0, latencyNs: -1 };
  #latencyNs = -1;
  #hasAddresses = false;
  /** Of the packet's first message: `ANSWERED`, `ASKED`, or `UNKNOWN`. */
  #first = UNKNOWN;
  /** Of the first packet, in the high word's units: differences of later ones are exact in a double. */
  #baseHigh: number | undefined;

  constructor(options: CaptureOptions) {
    this.#options = options;
  }

  lost(count: number): void {
    this.#options.log.addLoss(count);
    this.lostEver += count;
  }

  room(bytes: number): RecordRoom | undefined {
    return this.#options.log.room(bytes);
  }

  wasAwaited(): boolean {
    return this.#options.log.wasAwaited();
  }

  packet(memory: RecordMemory, at: number, length: number): void {
    if (length < PAYLOAD_AT || !isShown(memory.bytes, at)) return;
    const { log, counters, isOwn } = this.#options;
    if (isOwn(memory, at, length)) return;
    const { bytes } = memory;
    const verdict = bytes[at + RECORD_AT.verdict] ?? 0;
    if (verdict === DROPPED) {
      const reason = memory.words[(at + RECORD_AT.deliveredIfindex) >> 2] ?? 0;
      counters.drop(bytes[at + RECORD_AT.protocol] ?? 0, reason);
      log.add(memory, at, length, ONE_FLOW);
      return;
    }
    const hook = bytes[at + RECORD_AT.hook] ?? 0;
    const isAnswered = verdict === KERNEL_ANSWERED;
    const isTranslated = !isAnswered && port(bytes, at + RECORD_AT.translatedPort) !== 0;
    const kind = isTranslated || isAnswered || verdict === FELL_BACK ? verdict : FORWARDED;
    const flows = FLOWS[kind] ?? 1;
    const toHost = isTranslated && memory.words[(at + RECORD_AT.deliveredIfindex) >> 2] === 0;
    counters.packet(kind, hook, bytes[at + RECORD_AT.protocol] ?? 0, toHost);
    this.#latencyNs = -1;
    this.#hasAddresses = false;
    this.#first = UNKNOWN;
    const messages = this.#messages(memory, at, length);
    this.#countSides(memory, at, isTranslated);
    if (this.#hasAddresses) this.#options.onAnswer?.(memory, at, length);
    this.#note.flows = flows + messages;
    this.#note.latencyNs = this.#latencyNs;
    log.add(memory, at, length, this.#note);
  }

  /** Hubble's numbers of ports and TCP's flags, of the flows of the packet itself. */
  #countSides({ bytes, words }: RecordMemory, at: number, isTranslated: boolean): void {
    const { counters } = this.#options;
    const protocol = bytes[at + RECORD_AT.protocol] ?? 0;
    const verdict = bytes[at + RECORD_AT.verdict] ?? 0;
    const arrives = isTranslated && (verdict === REDIRECTED || verdict === RESTORED);
    if (protocol === TCP) {
      counters.tcpFlags(bytes[at + RECORD_AT.tcpFlags] ?? 0, isIpv6(words, at), arrives ? 2 : 1);
    }
    if (!this.#isAsked(bytes, at)) return;
    counters.ports.add(protocol, port(bytes, at + RECORD_AT.destinationPort));
    if (arrives) counters.ports.add(protocol, port(bytes, at + RECORD_AT.translatedPort));
  }

  /** As `isReply` of `expand`: certainly no reply. */
  #isAsked(bytes: Uint8Array, at: number): boolean {
    const verdict = bytes[at + RECORD_AT.verdict];
    if (verdict === REDIRECTED || verdict === FELL_BACK || verdict === KERNEL_ANSWERED) return true;
    if (verdict === RESTORED) return false;
    if (this.#first !== UNKNOWN) return this.#first === ASKED;
    const { dnsPorts } = this.#options;
    return (
      dnsPorts.has(port(bytes, at + RECORD_AT.destinationPort)) &&
      !dnsPorts.has(port(bytes, at + RECORD_AT.sourcePort))
    );
  }

  #carriesDns(bytes: Uint8Array, at: number): boolean {
    const { dnsPorts } = this.#options;
    return (
      dnsPorts.has(port(bytes, at + RECORD_AT.destinationPort)) ||
      dnsPorts.has(port(bytes, at + RECORD_AT.sourcePort)) ||
      dnsPorts.has(port(bytes, at + RECORD_AT.translatedPort))
    );
  }

  /** How many messages of this packet are told here. */
  #messages(memory: RecordMemory, at: number, length: number): number {
    const { bytes, words } = memory;
    const start = at + PAYLOAD_AT;
    const end = start + Math.min(words[(at + RECORD_AT.capturedLength) >> 2] ?? 0, length - PAYLOAD_AT);
    if (bytes[at + RECORD_AT.verdict] === KERNEL_ANSWERED) return this.#exchange(memory, at, start, end);
    if (!this.#carriesDns(bytes, at)) return 0;
    if (bytes[at + RECORD_AT.protocol] === UDP) return this.#message(memory, at, start, end);
    const whole = start + (words[(at + RECORD_AT.payloadLength) >> 2] ?? 0);
    let told = 0;
    for (let from = start; end - from > 14; ) {
      const size = port(bytes, from);
      // As `sightDns`: a segment that announces less than a header, or more than it carries, begins in the middle.
      if (size < 12 || from + 2 + size > whole) break;
      told += this.#message(memory, at, from + 2, Math.min(from + 2 + size, end));
      from += 2 + size;
    }
    return told;
  }

  #message(memory: RecordMemory, at: number, start: number, end: number): number {
    const { bytes, words } = memory;
    const scan = this.#scan;
    if (!scanDns(scan, bytes, start, end)) return 0;
    if (this.#first === UNKNOWN) this.#first = scan.isResponse ? ANSWERED : ASKED;
    const { counters, clients, isPod } = this.#options;
    const client = (at + (scan.isResponse ? RECORD_AT.destination : RECORD_AT.source)) >> 2;
    const hash = this.#hash(words, client);
    if (!isAtClient(bytes, at, scan.isResponse) && isPod(words, client, hash)) return 0;
    const clientPort = port(bytes, at + (scan.isResponse ? RECORD_AT.destinationPort : RECORD_AT.sourcePort));
    const nowNs = this.#timeNs(words, at >> 2);
    const key = Math.imul(hash ^ clientPort, 0x01000193);
    counters.message(scan);
    if (scan.isResponse) {
      this.#latencyNs = this.#open.answer(key, scan.id, nowNs);
      if (scan.addresses > 0) this.#hasAddresses = true;
      if (this.#latencyNs >= 0) counters.latency(this.#latencyNs);
      clients.answer(words, client, hash, scan.rcode, this.#latencyNs);
    } else {
      counters.ports.add(bytes[at + RECORD_AT.protocol] ?? 0, servedPort(bytes, at));
      this.#open.ask(key, scan.id, (scan.qtype << 8) | scan.nameBytes, nowNs);
      clients.query(words, client, hash);
    }
    return 1;
  }

  /** An answer of the kernel, and the query that it repeats. */
  #exchange({ bytes, words }: RecordMemory, at: number, start: number, end: number): number {
    const scan = this.#scan;
    if (!scanDns(scan, bytes, start, end) || !scan.isResponse) return 0;
    const { counters, clients } = this.#options;
    const client = (at + RECORD_AT.source) >> 2;
    const hash = this.#hash(words, client);
    const key = Math.imul(hash ^ port(bytes, at + RECORD_AT.sourcePort), 0x01000193);
    const nowNs = this.#timeNs(words, at >> 2);
    const tookNs = (words[(at + RECORD_AT.deliveredIfindex) >> 2] ?? 0) >>> 0;
    counters.query(scan.qtype);
    counters.ports.add(UDP, port(bytes, at + RECORD_AT.destinationPort));
    clients.query(words, client, hash);
    // As of two packets: who asks again after a query of which nobody knows has waited since then.
    this.#open.ask(key, scan.id, (scan.qtype << 8) | scan.nameBytes, nowNs - tookNs);
    this.#latencyNs = this.#open.answer(key, scan.id, nowNs);
    counters.message(scan);
    counters.latency(this.#latencyNs);
    clients.answer(words, client, hash, scan.rcode, this.#latencyNs);
    if (scan.addresses > 0) this.#hasAddresses = true;
    return 2;
  }

  /** Of an address. */
  #hash(words: Int32Array, at: number): number {
    let hash = this.#options.seed;
    for (let i = 0; i < 4; i++) {
      hash = Math.imul(hash ^ (words[at + i] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #timeNs(words: Int32Array, at: number): number {
    const high = (words[at + 1] ?? 0) >>> 0;
    this.#baseHigh ??= high;
    return (high - this.#baseHigh) * 0x1_0000_0000 + ((words[at] ?? 0) >>> 0);
  }
}

/** As `toPacketEvent` decides. */
function isShown(bytes: Uint8Array, at: number): boolean {
  const protocol = bytes[at + RECORD_AT.protocol];
  return (
    (protocol === UDP || protocol === TCP) &&
    isVerdict(bytes, at) &&
    port(bytes, at + RECORD_AT.sourcePort) !== 0 &&
    port(bytes, at + RECORD_AT.destinationPort) !== 0
  );
}

function isVerdict(bytes: Uint8Array, at: number): boolean {
  const verdict = bytes[at + RECORD_AT.verdict] ?? DROPPED + 1;
  const isAtHook = bytes[at + RECORD_AT.place] === 0;
  if (verdict === KERNEL_ANSWERED)
    return isAtHook && bytes[at + RECORD_AT.protocol] === UDP && bytes[at + RECORD_AT.hook] === 0;
  return isAtHook ? verdict < DROPPED : verdict === DROPPED;
}

/** Queries leave their client, answers are delivered to it; a translated packet does both in one record. */
function isAtClient(bytes: Uint8Array, at: number, isResponse: boolean): boolean {
  const verdict = bytes[at + RECORD_AT.verdict];
  if (verdict === REDIRECTED || verdict === RESTORED) return true;
  return (bytes[at + RECORD_AT.hook] === 0) !== isResponse;
}

/** Of a query, at the server that it is really sent to. */
function servedPort(bytes: Uint8Array, at: number): number {
  const translated = port(bytes, at + RECORD_AT.translatedPort);
  const isRedirected = bytes[at + RECORD_AT.verdict] === REDIRECTED && translated !== 0;
  return isRedirected ? translated : port(bytes, at + RECORD_AT.destinationPort);
}

/** Addresses of IPv4 are mapped (RFC 4291 section 2.5.5.2). */
function isIpv6(words: Int32Array, at: number): boolean {
  const source = (at + RECORD_AT.source) >> 2;
  return words[source] !== 0 || words[source + 1] !== 0 || words[source + 2] !== MAPPED;
}

function port(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
