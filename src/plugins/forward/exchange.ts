/** What asking an upstream once gives, whichever way it went. Failures are values: upstreams are not ours to trust. */
import type { Message } from '../../dns/message.ts';
import { equalNames } from '../../dns/name.ts';
import type { Clock } from '../../telemetry/clock.ts';

export type Exchanged =
  | { readonly ok: true; readonly reply: Message }
  | {
      readonly ok: false;
      readonly error: Error;
      /**
       * Serial number of a connection that had been used before and was closed by the upstream meanwhile. The query
       * deserves another try on a younger connection, which does not count as an attempt (dns-server 3.6, 7).
       */
      readonly staleSerial?: number;
    };

export interface ExchangeTools {
  readonly clock: Clock;
  /** Uniform in 0 to 65535 and not to be guessed from earlier ones (RFC 5452 section 9.2). */
  readonly randomId: () => number;
  readonly readTimeoutMs: number;
}

/** An answer is believed only if it is one and repeats the question, names compared without case (RFC 5452 section 9.1). */
export function answersQuestion(query: Message, reply: Message): boolean {
  const [asked] = query.questions;
  const [echoed] = reply.questions;
  if (asked === undefined || echoed === undefined || !reply.flags.response) return false;
  const sameKind = asked.type === echoed.type && asked.class === echoed.class;
  return sameKind && equalNames(asked.name, echoed.name);
}

/** Stands for a reply that carries our id but does not decode: the client shall ask again by TCP. */
export function emptyTruncated(query: Message): Message {
  return {
    id: query.id,
    opcode: query.opcode,
    rcode: 0,
    flags: { ...query.flags, response: true, authoritative: false, truncated: true, authenticData: false },
    questions: query.questions,
    answers: [],
    authorities: [],
    additionals: [],
  };
}
