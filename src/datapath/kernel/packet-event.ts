/** One record of the event ring as the value the observer reads. Pure; the record's memory is not kept. */
import { ipFromBytes } from '../../net/ip.ts';
import { PROTOCOL_NUMBERS, toPort } from '../../net/port.ts';
import type { FallBackReason, PacketEvent } from '../datapath.ts';
import {
  decodePacketEvent,
  HOOK_FROM_ENDPOINT,
  PACKET_EVENT_SIZE,
  REASON_ESTABLISHED,
  REASON_FLOW_SHARE,
  REASON_FRAGMENT,
  REASON_NO_BACKEND,
  REASON_NO_HEARTBEAT,
  REASON_NO_SOCKET,
  REASON_NOT_PERMITTED,
  REASON_PROBE_FAILED,
  REASON_SKIP,
  VERDICT_FELL_BACK,
  VERDICT_FORWARDED,
  VERDICT_REDIRECTED,
  VERDICT_RESTORED,
} from './abi.gen.ts';

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

const VERDICT_NUMBERS: Readonly<Record<PacketEvent['verdict'], number>> = {
  forwarded: VERDICT_FORWARDED,
  redirected: VERDICT_REDIRECTED,
  restored: VERDICT_RESTORED,
  'fell-back': VERDICT_FELL_BACK,
};

const REASON_WORDS = wordsOf(REASON_NUMBERS);
const VERDICT_WORDS = wordsOf(VERDICT_NUMBERS);
const PROTOCOL_WORDS = wordsOf(PROTOCOL_NUMBERS);

function wordsOf<Word extends string>(numbers: Readonly<Record<Word, number>>): ReadonlyMap<number, Word> {
  return new Map((Object.entries(numbers) as [Word, number][]).map(([word, number]) => [number, word]));
}

/**
 * Undefined for what is no event we can show: a record of another size (another version wrote it), or port 0, which
 * pods can send but nobody answers.
 */
export function toPacketEvent(record: DataView): PacketEvent | undefined {
  if (record.byteLength < PACKET_EVENT_SIZE) return undefined;
  const raw = decodePacketEvent(record);
  const verdict = VERDICT_WORDS.get(raw.verdict);
  const protocol = PROTOCOL_WORDS.get(raw.protocol);
  const reason = REASON_WORDS.get(raw.reason);
  const sourcePort = toPort(raw.sourcePort);
  const destinationPort = toPort(raw.destinationPort);
  const translatedPort = toPort(raw.translatedPort);
  if (verdict === undefined || protocol === undefined) return undefined;
  if (sourcePort === undefined || destinationPort === undefined) return undefined;
  const translated = translatedPort && { address: ipFromBytes(raw.translated), port: translatedPort };
  return {
    timeNs: raw.timeNs,
    hook: raw.hook === HOOK_FROM_ENDPOINT ? 'from-endpoint' : 'to-endpoint',
    ifindex: raw.ifindex,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    protocol,
    source: { address: ipFromBytes(raw.source), port: sourcePort },
    destination: { address: ipFromBytes(raw.destination), port: destinationPort },
    ...(translated ? { translated, deliveredIfindex: raw.deliveredIfindex } : {}),
    tcpFlags: raw.tcpFlags,
    payload: raw.payload.slice(0, raw.capturedLength),
    payloadLength: raw.payloadLength,
  };
}
