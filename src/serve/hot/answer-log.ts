/**
 * The query log of the kernel's answers: takes what the programs wrote of each into the shelf's ring, a few times a second
 * and only while a configuration wants it. Nothing is lost meanwhile: where the ring is nearly full, the programs leave
 * queries to the server. Made of memory alone, so it goes on while there is no agent.
 */
import { ANSWER_LOG_AT, ANSWER_LOG_SIZE, decodeAnswerLog } from '../../answermap/answer-abi.gen.ts';
import { ipFromBytes } from '../../net/ip.ts';
import type { SocketAddress } from '../../server/handler.ts';
import type { RecordMemory, RingBuffer, TakeRecord } from '../../sys/ring/ring-buffer.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';

/** At a hundred thousand queries a second a ring of 256 KiB is three quarters full in 6 ms; at three thousand not in this. */
const LOOK_MS = 50;
/** Some milliseconds of the main thread; when there is more, the next look follows soon. */
const MOST_PER_LOOK = 500;
const BUSY_LOOK_MS = 2;

export interface LoggedAnswer {
  /** Which listener was asked. */
  readonly view: number;
  readonly client: SocketAddress;
  /** The address that the client asked, which a redirect may have changed. */
  readonly asked: SocketAddress;
  /** The receiver's to keep. */
  readonly query: Uint8Array;
  readonly reply: Uint8Array;
}

export type AnswerRing = Pick<RingBuffer, 'drain' | 'drainPresent' | 'skipAll' | 'close'>;

export interface AnswerLogOptions {
  readonly clock: Clock;
  readonly onAnswer: (answer: LoggedAnswer) => void;
}

export class AnswerLog {
  readonly #options: AnswerLogOptions;
  #ring: AnswerRing | undefined;
  #isWanted = false;
  #timer: Timer | undefined;
  readonly #onRecord: TakeRecord = (memory, at, length) => this.#tell(memory, at, length);

  constructor(options: AnswerLogOptions) {
    this.#options = options;
  }

  /** What is in it already is another process's. The ring before stays the caller's to close. */
  useRing(ring: AnswerRing | undefined): void {
    this.#takePresent();
    this.#ring = ring;
    ring?.skipAll();
    this.#lookRegularly(LOOK_MS);
  }

  /** Whether somebody wants to hear of answers. What is there when nobody does any more is told before this returns. */
  want(isWanted: boolean): void {
    if (this.#isWanted && !isWanted) this.#takePresent();
    this.#isWanted = isWanted;
    this.#lookRegularly(LOOK_MS);
  }

  /** Tells what is there, as much as a look may. Returns whether that was all. */
  take(): boolean {
    const taken = this.#ring?.drain(this.#onRecord, MOST_PER_LOOK);
    return (taken ?? 0) < MOST_PER_LOOK;
  }

  /** Tells what is there now. */
  close(): void {
    this.#timer?.cancel();
    this.#takePresent();
    this.#ring = undefined;
  }

  /** At most what a ring holds: programs go on writing for as long as the shelf is read, also when nobody looks. */
  #takePresent(): void {
    this.#ring?.drainPresent(this.#onRecord);
  }

  #lookRegularly(periodMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (!this.#isWanted || this.#ring === undefined) return;
    const { clock } = this.#options;
    this.#timer = clock.after(Math.min(periodMs, untilTick(clock, periodMs)), () => {
      this.#lookRegularly(this.take() ? LOOK_MS : BUSY_LOOK_MS);
    });
  }

  #tell({ bytes }: RecordMemory, at: number, length: number): void {
    if (length < ANSWER_LOG_SIZE) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
    const record = decodeAnswerLog(view);
    const from = at + ANSWER_LOG_AT.messages;
    const middle = from + record.queryLength;
    const end = middle + record.replyLength;
    if (end > at + length) return;
    this.#options.onAnswer({
      view: record.view,
      client: { address: ipFromBytes(record.source), port: record.sourcePort },
      asked: { address: ipFromBytes(record.destination), port: record.destinationPort },
      query: bytes.slice(from, middle),
      reply: bytes.slice(middle, end),
    });
  }
}
