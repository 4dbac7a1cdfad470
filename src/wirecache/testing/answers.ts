/** Answers and packets for tests of the cache. */
import { encodeMessage } from '../../dns/encode-message.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { type Name, parseName } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import { type AnswerKey, PACKET_SLOT_BYTES, type Partition, type WireAnswer } from '../contract.ts';

/** Throws when the text is no name. */
export function name(text: string): Name {
  const parsed = parseName(text);
  if (parsed === undefined) throw new Error(`not a name: ${text}`);
  return parsed;
}

export function key(text: string, other: Partial<AnswerKey> = {}): AnswerKey {
  return { name: name(text), type: 1, class: 1, dnssecOk: false, checkingDisabled: false, ...other };
}

/** `count` A records, all of them with these four bytes. */
export function addresses(text: string, count: number, rdata: Uint8Array, ttlSeconds = 30): WireAnswer {
  const record: ResourceRecord = { name: name(text), type: 1, class: 1, ttlSeconds, rdata };
  return answerOf(Array.from({ length: count }, () => record));
}

/** One record of type NULL with so many bytes of data. */
export function bulk(text: string, bytes: number): WireAnswer {
  const rdata = new Uint8Array(bytes).fill(7);
  return answerOf([{ name: name(text), type: 10, class: 1, ttlSeconds: 30, rdata }]);
}

export function answerOf(answers: readonly ResourceRecord[]): WireAnswer {
  const query = plainQuery({ name: name('.'), type: 1 });
  const message = { ...query, questions: [], answers };
  return {
    rcode: 0,
    recursionAvailable: true,
    authenticData: false,
    serverError: false,
    counts: { answers: answers.length, authorities: 0, additionals: 0 },
    records: new Uint8Array(encodeMessage(message)).subarray(12),
    ttlSeconds: answers[0]?.ttlSeconds ?? 30,
    storedMs: 0,
  };
}

export function holds(partition: Partition, text: string): boolean {
  return partition.lookup(key(text), 'success') !== undefined;
}

/** A query for A, as bytes. */
export function packet(text: string, type = 1): Uint8Array {
  return new Uint8Array(encodeMessage(plainQuery({ name: name(text), type }, { id: 99 })));
}

/** Memory for one packet, and the way to put one in. */
export function packetSlot(): {
  packets: ArrayBuffer;
  put: (bytes: Uint8Array) => number;
  bytes: Uint8Array;
} {
  const packets = new ArrayBuffer(PACKET_SLOT_BYTES);
  const bytes = new Uint8Array(packets);
  return {
    packets,
    bytes,
    put(packetBytes) {
      bytes.set(packetBytes);
      return packetBytes.length;
    },
  };
}
