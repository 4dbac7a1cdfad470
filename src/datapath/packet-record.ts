/**
 * One packet as the kernel's programs tell it: bytes in the layout of `struct packet_event` (bpf/abi.h), which end with
 * the first bytes of the packet's payload. Tens of thousands come by in a second and few are ever looked at, so whoever
 * takes them gets them where they lie, and makes a `PacketEvent` of those that somebody asks for.
 */
import { ipFromBytes, ipMappedBytes } from '../net/ip.ts';
import { PROTOCOL_NUMBERS, toPort } from '../net/port.ts';
import type { RecordMemory, RecordRoom } from '../sys/ring/ring-buffer.ts';
import type { FallBackReason, PacketDrop, PacketEvent } from './datapath.ts';
import {
  decodePacketEvent,
  encodePacketEvent,
  HOOK_FROM_ENDPOINT,
  HOOK_TO_ENDPOINT,
  PACKET_EVENT_AT,
  PLACE_HOOK,
  PLACE_NODE,
  PLACE_POD,
  REASON_ESTABLISHED,
  REASON_FLOW_SHARE,
  REASON_FRAGMENT,
  REASON_NO_BACKEND,
  REASON_NO_HEARTBEAT,
  REASON_NO_SOCKET,
  REASON_NOT_PERMITTED,
  REASON_PROBE_FAILED,
  REASON_SKIP,
  VERDICT_ANSWERED,
  VERDICT_DROPPED,
  VERDICT_FELL_BACK,
  VERDICT_FORWARDED,
  VERDICT_REDIRECTED,
  VERDICT_RESTORED,
} from './kernel/abi.gen.ts';

/** Whoever takes packets need not know where they come from. */
export type { RecordMemory, RecordRoom };

/** Who takes packets, one call each, in the order in which they were seen. */
export interface PacketSink {
  /** A record of `length` bytes from byte `at`, a multiple of 4. Memory that is not its own is the giver's again after the call. */
  packet(memory: RecordMemory, at: number, length: number): void;
  /** So many were dropped before the next one: there was no room. */
  lost(count: number): void;
  /**
   * Memory of its own to put the next records into, `bytes` of them in one piece, so that they need not be copied once more.
   * Absent, or nothing: the giver uses its own.
   */
  room?(bytes: number): RecordRoom | undefined;
  /** Whether somebody waited for packets since this was last asked: then the next ones come sooner. Absent: as if. */
  wasAwaited?(): boolean;
}

/** Where the payload begins: a record is at least so long. */
export const PAYLOAD_AT = PACKET_EVENT_AT.payload;

/** Byte offsets of the fields; ports are in network order, the rest in the machine's. */
export const RECORD_AT = PACKET_EVENT_AT;

export const REASON_NUMBERS: Readonly<Record<FallBackReason, number>> = {
  'no-backend': REASON_NO_BACKEND,
  'no-socket': REASON_NO_SOCKET,
  fragment: REASON_FRAGMENT,
  skip: REASON_SKIP,
  established: REASON_ESTABLISHED,
  'no-heartbeat': REASON_NO_HEARTBEAT,
  'probe-failed': REASON_PROBE_FAILED,
  'not-permitted': REASON_NOT_PERMITTED,
  'flow-share': REASON_FLOW_SHARE,
};

export const VERDICT_NUMBERS: Readonly<Record<PacketEvent['verdict'], number>> = {
  forwarded: VERDICT_FORWARDED,
  redirected: VERDICT_REDIRECTED,
  restored: VERDICT_RESTORED,
  'fell-back': VERDICT_FELL_BACK,
  dropped: VERDICT_DROPPED,
  answered: VERDICT_ANSWERED,
};

const PLACE_NUMBERS: Readonly<Record<PacketDrop['place'], number>> = { node: PLACE_NODE, pod: PLACE_POD };

const REASON_WORDS = wordsOf(REASON_NUMBERS);
const VERDICT_WORDS = wordsOf(VERDICT_NUMBERS);
const PLACE_WORDS = wordsOf(PLACE_NUMBERS);
const PROTOCOL_WORDS = wordsOf(PROTOCOL_NUMBERS);

function wordsOf<Word extends string>(numbers: Readonly<Record<Word, number>>): ReadonlyMap<number, Word> {
  return new Map((Object.entries(numbers) as [Word, number][]).map(([word, number]) => [number, word]));
}

/**
 * A record as a value, with nothing of its memory. Undefined for what is no packet we can show: one that another version
 * wrote, or with port 0, which pods can send but nobody answers. Programs answer UDP alone, at the interface of who asks.
 */
export function toPacketEvent({ bytes }: RecordMemory, at: number, length: number): PacketEvent | undefined {
  if (length < PAYLOAD_AT) return undefined;
  const start = bytes.byteOffset + at;
  const raw = decodePacketEvent(new DataView(bytes.buffer, start, length));
  const verdict = VERDICT_WORDS.get(raw.verdict);
  const protocol = PROTOCOL_WORDS.get(raw.protocol);
  const reason = REASON_WORDS.get(raw.reason);
  const sourcePort = toPort(raw.sourcePort);
  const destinationPort = toPort(raw.destinationPort);
  const translatedPort = toPort(raw.translatedPort);
  if (verdict === undefined || protocol === undefined) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  const translated = translatedPort && { address: ipFromBytes(raw.translated), port: translatedPort };
  const place = PLACE_WORDS.get(raw.place);
  if ((verdict === 'dropped') !== (place !== undefined)) return undefined;
  const isAnswered = verdict === 'answered';
  if (isAnswered && (protocol !== 'UDP' || raw.hook !== HOOK_FROM_ENDPOINT)) return undefined;
  const captured = Math.min(raw.capturedLength, length - PAYLOAD_AT);
  return {
    timeNs: raw.timeNs,
    hook: raw.hook === HOOK_FROM_ENDPOINT ? 'from-endpoint' : 'to-endpoint',
    ifindex: raw.ifindex,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    ...(place === undefined ? {} : { drop: { reason: raw.deliveredIfindex, place } }),
    protocol,
    source: { address: ipFromBytes(raw.source), port: sourcePort },
    destination: { address: ipFromBytes(raw.destination), port: destinationPort },
    ...(isAnswered ? { tookNs: raw.deliveredIfindex } : {}),
    ...(translated && !isAnswered ? { translated, deliveredIfindex: raw.deliveredIfindex } : {}),
    tcpFlags: raw.tcpFlags,
    payload: bytes.slice(at + PAYLOAD_AT, at + PAYLOAD_AT + captured),
    payloadLength: raw.payloadLength,
  };
}

/** CLOCK_MONOTONIC of the record at `at`, of which nothing else is read. */
export function recordTimeNs({ words }: RecordMemory, at: number): bigint {
  const word = (at + RECORD_AT.timeNs) >> 2;
  return (BigInt((words[word + 1] ?? 0) >>> 0) << 32n) | BigInt((words[word] ?? 0) >>> 0);
}

const NO_ADDRESS = new Uint8Array(16);

/** The record of a packet, at byte 0 of memory of its own; `payload` is told whole. */
export function toRecord(event: PacketEvent): RecordMemory {
  const { source, destination, translated, drop, payload } = event;
  const delivered = drop?.reason ?? event.tookNs ?? event.deliveredIfindex ?? 0;
  const head = encodePacketEvent({
    ...{ timeNs: event.timeNs, ifindex: event.ifindex, deliveredIfindex: delivered },
    ...{ source: ipMappedBytes(source.address), sourcePort: source.port },
    ...{ destination: ipMappedBytes(destination.address), destinationPort: destination.port },
    translated: translated === undefined ? NO_ADDRESS : ipMappedBytes(translated.address),
    translatedPort: translated?.port ?? 0,
    hook: event.hook === 'from-endpoint' ? HOOK_FROM_ENDPOINT : HOOK_TO_ENDPOINT,
    verdict: VERDICT_NUMBERS[event.verdict],
    reason: event.reason === undefined ? 0 : REASON_NUMBERS[event.reason],
    protocol: PROTOCOL_NUMBERS[event.protocol],
    place: drop === undefined ? PLACE_HOOK : PLACE_NUMBERS[drop.place],
    ...{ tcpFlags: event.tcpFlags, payloadLength: event.payloadLength, capturedLength: payload.length },
    payload,
  });
  const bytes = new Uint8Array((PAYLOAD_AT + payload.length + 7) & ~7);
  bytes.set(head.subarray(0, PAYLOAD_AT));
  bytes.set(payload, PAYLOAD_AT);
  return { bytes, words: new Int32Array(bytes.buffer) };
}
