/**
 * The questions that wait for an answer on one socket, by id, and the judgement of what comes in: only a message with
 * the id of a waiting question and that very question is believed (RFC 5452 section 9). The ids of a socket never meet,
 * and each is drawn anew. Owns no socket; its owner says what time-outs and unreadable answers mean.
 */
import { decodeBody, decodeHeader, type Header } from '../../../dns/decode-message.ts';
import { encodeMessage } from '../../../dns/encode-message.ts';
import type { Message } from '../../../dns/message.ts';
import { equalNames } from '../../../dns/name.ts';
import { readerOf, readName, readU16 } from '../../../dns/reader.ts';
import type { Deadline } from '../../../telemetry/deadline-queue.ts';
import { answersQuestion, type Done, type Exchanged, type ExchangeTools, wrongQuestion } from './exchange.ts';

/** A question under way. */
export interface Waiting {
  /** As sent, under its own id. */
  readonly asked: Message;
  readonly done: Done;
  /** The question came to a connection that others had opened. */
  readonly reused: boolean;
  deadline: Deadline | undefined;
  /** Something came under its id that answers another question. */
  sawWrongQuestion: boolean;
  /** For the owner: how much it had heard from the upstream when the question went out. */
  heardBefore: number;
}

export interface OutstandingOptions extends ExchangeTools {
  /** A question was not answered in time, and has been taken out. */
  readonly expired: (waiting: Waiting) => Exchanged;
  /** The question is ours, the rest does not decode. */
  readonly unreadable: (asked: Message, reason: string) => Exchanged;
  /** Whether the wait goes on when another question is answered under our id. */
  readonly waitsOn: (header: Header) => boolean;
  /** The last question has been settled. */
  readonly onIdle: () => void;
}

/**
 * Messages nobody waited for that one socket takes. Who has found our port needs some 32,000 guesses for an id: a socket
 * that hears so many wrong ones is given up long before. Late answers are no guesses: each expired question excuses one.
 */
const MOST_STRAYS = 128;
const HEADER_BYTES = 12;

export class Outstanding {
  readonly #options: OutstandingOptions;
  /**
   * In no order. Searched from end to end: a handful on a UDP port, and on a stream seldom more. No `Map`, whose discarded
   * tables would keep questions that were answered long ago (`flights.ts`).
   */
  readonly #waiting: Waiting[] = [];
  #strays = 0;

  constructor(options: OutstandingOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  get flooded(): boolean {
    return this.#strays > MOST_STRAYS;
  }

  /** Draws a free id. Owners keep `size` far below 65536, so that one is found after a draw or two. */
  enter(query: Message, done: Done, reused = false): Waiting {
    const { random } = this.#options;
    let id = random.next();
    while (this.#find(id) !== undefined) id = random.next();
    const asked = withId(query, id);
    const waiting: Waiting = {
      asked,
      done,
      reused,
      deadline: undefined,
      sawWrongQuestion: false,
      heardBefore: 0,
    };
    this.#waiting.push(waiting);
    return waiting;
  }

  /** False once it has been settled. */
  holds(waiting: Waiting): boolean {
    return this.#waiting.includes(waiting);
  }

  /** The bytes to send; time counts from now on. */
  send(waiting: Waiting): Uint8Array {
    waiting.deadline = this.#options.deadlines.add(() => this.#expire(waiting));
    return encodeMessage(waiting.asked);
  }

  /** Settles the question that these bytes answer, if there is one. False when they are no message at all. */
  receive(bytes: Uint8Array): boolean {
    const header = decodeHeader(bytes);
    const waiting = header && this.#find(header.id);
    if (header === undefined || waiting === undefined) this.#strays++;
    else this.#judge(waiting, header, bytes);
    return header !== undefined;
  }

  #judge(waiting: Waiting, header: Header, bytes: Uint8Array): void {
    const decoded = decodeBody(bytes, header);
    if (decoded.ok && answersQuestion(waiting.asked, decoded.value)) {
      this.#settle(waiting, { ok: true, reply: decoded.value });
    } else if (!decoded.ok && echoesQuestion(bytes, header, waiting.asked)) {
      this.#settle(waiting, this.#options.unreadable(waiting.asked, decoded.reason ?? decoded.code));
    } else if (this.#options.waitsOn(header)) {
      waiting.sawWrongQuestion = true;
      this.#strays++;
    } else {
      this.#settle(waiting, wrongQuestion());
    }
  }

  settleAll(outcomeOf: (waiting: Waiting) => Exchanged): void {
    for (const waiting of [...this.#waiting]) this.#settle(waiting, outcomeOf(waiting));
  }

  #find(id: number): Waiting | undefined {
    for (const waiting of this.#waiting) if (waiting.asked.id === id) return waiting;
    return undefined;
  }

  #expire(waiting: Waiting): void {
    this.#strays--;
    const outcome = this.#options.expired(waiting);
    this.#settle(waiting, waiting.sawWrongQuestion ? wrongQuestion() : outcome);
  }

  #settle(waiting: Waiting, outcome: Exchanged): void {
    const at = this.#waiting.indexOf(waiting);
    if (at < 0) return;
    const last = this.#waiting.pop();
    if (last !== undefined && last !== waiting) this.#waiting[at] = last;
    if (waiting.deadline !== undefined) this.#options.deadlines.remove(waiting.deadline);
    waiting.done(outcome);
    if (this.#waiting.length === 0) this.#options.onIdle();
  }
}

/** Field by field: a spread costs several times as much. */
function withId(query: Message, id: number): Message {
  const { opcode, rcode, flags, questions, answers, authorities, additionals, edns } = query;
  const asked = { id, opcode, rcode, flags, questions, answers, authorities, additionals };
  return edns === undefined ? asked : { ...asked, edns };
}

/** For messages that do not decode as a whole. */
function echoesQuestion(bytes: Uint8Array, { counts, flags }: Header, asked: Message): boolean {
  const [question] = asked.questions;
  if (question === undefined || counts.qd !== 1 || !flags.response) return false;
  const reader = readerOf(bytes);
  reader.offset = HEADER_BYTES;
  const name = readName(reader);
  const isSame = readU16(reader) === question.type && readU16(reader) === question.class;
  return reader.failure === undefined && isSame && equalNames(name, question.name);
}
