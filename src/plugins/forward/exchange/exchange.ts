/** What asking an upstream once gives, whichever way it went. Failures are values: upstreams are not ours to trust. */
import type { Message } from '../../../dns/message.ts';
import { equalNames } from '../../../dns/name.ts';
import type { Clock } from '../../../telemetry/clock.ts';
import type { DeadlineQueue } from '../../../telemetry/deadline-queue.ts';
import type { RandomWords } from './random-words.ts';

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
      /** The upstream answered under our id, but not our question: nothing of it is believed (dns-server 3.6, 9). */
      readonly wrongQuestion?: true;
    };

/** Called exactly once for each question asked. A call, not a promise: a query passes here on its way out and back. */
export type Done = (outcome: Exchanged) => void;

export interface ExchangeTools {
  readonly clock: Clock;
  readonly random: RandomWords;
  /** Ends the wait for a reply. */
  readonly deadlines: DeadlineQueue;
}

/**
 * An answer is believed only if it is one to such a message and repeats the question, names compared without case
 * (RFC 5452 section 9.1).
 */
export function answersQuestion(query: Message, reply: Message): boolean {
  const [asked] = query.questions;
  const [echoed] = reply.questions;
  if (asked === undefined || echoed === undefined || !reply.flags.response) return false;
  if (reply.opcode !== query.opcode) return false;
  if (reply.questions.length !== 1 || asked.type !== echoed.type || asked.class !== echoed.class)
    return false;
  return equalNames(asked.name, echoed.name);
}

/** Stands for a reply that is ours but does not decode: the client shall ask again by TCP. */
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

export function wrongQuestion(): Exchanged {
  return { ok: false, error: new Error('the answer is to another question'), wrongQuestion: true };
}
