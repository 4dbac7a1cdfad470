/** For tests: handlers as small plugin chains would be, and arrivals as a transport would hand them over. */
import { setTimeout as pause } from 'node:timers/promises';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { replyTo } from '../../dns/reply.ts';
import { ip } from '../../dns/testing/packets.ts';
import type { Handler } from '../handler.ts';
import { type Arrival, firstMessage, type Outcome } from '../serve-query.ts';

/** Answers with as many addresses as the first label says, 5000 at most: `59.example.org`; one if it is no number. */
export const countingHandler: Handler = (query) => {
  const count = Math.min(Number.parseInt(query.question.name, 10) || 1, 5000);
  const answers = Array.from({ length: count }, (_, i) =>
    addressRecord(query.question.name, 30, ip(`10.0.${i >> 8}.${i & 255}`)),
  );
  return { rcode: 0, message: replyTo(query.message, { answers }) };
};

/** Waits as many milliseconds as the first label says, then answers. */
export const slowHandler: Handler = async (query) => {
  await pause(Number.parseInt(query.question.name, 10) || 0);
  return { rcode: 0, message: replyTo(query.message, { authoritative: true }) };
};

export function arrivalOf(message: Message, transport: 'udp' | 'tcp' = 'udp'): Arrival {
  return {
    bytes: encodeMessage(message),
    client: { address: ip('192.0.2.7'), port: 40_000 },
    local: { address: ip('10.96.0.10'), port: 53 },
    transport,
    receivedAtMs: 0,
  };
}

export function decoded(outcome: Outcome): Message {
  const bytes = firstMessage(outcome);
  const result = bytes && decodeMessage(bytes);
  if (!result?.ok) throw new Error(`Cannot decode the reply: received ${result?.code ?? 'nothing'}`);
  return result.value;
}
