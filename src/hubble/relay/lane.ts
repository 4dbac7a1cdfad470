/**
 * One stream on its way into a merge: read ahead of its turn, so that a row waits for rows of others from when it came and
 * not from when the row before it was taken, and so far ahead and no further, so that a stream that runs away from the
 * others is held back at its source.
 */
import type { GetFlowsResponse } from '../../flow/api.ts';
import { parseTime } from '../../flow/time.ts';
import type { Clock } from '../../telemetry/clock.ts';

export interface Head {
  readonly response: GetFlowsResponse;
  /**
   * By which it is sorted: its own; that of its arrival when its own is nonsense; of what is no flow that of the flow before
   * it, because a loss is told of with the time of telling, in the midst of flows that happened before.
   */
  readonly timeNs: bigint;
  /** Monotonic, in milliseconds. */
  readonly arrivedMs: number;
  /** By this machine's clock, when it came; not negative, whatever its node's clock says. */
  readonly ageMs: number;
  /** It happened while the stream was read, as far as its own time can be believed. */
  readonly isLive: boolean;
}

export interface LaneOptions {
  readonly clock: Clock;
  /** A row may be ahead of this machine's clock by so much; one that is more so was written by a clock that is wrong. */
  readonly mostAheadMs: number;
  /** What is older is history. */
  readonly liveSinceNs: bigint;
  readonly onChange: () => void;
}

const NS_PER_MS = 1_000_000n;

export class Lane {
  readonly #stream: AsyncIterator<GetFlowsResponse, void, void>;
  readonly #clock: Clock;
  readonly #options: LaneOptions;
  readonly #queue: Head[] = [];
  #at = 0;
  #isAsked = false;
  #hasEnded = false;
  /** Of the last flow. */
  #flowNs: bigint | undefined;
  /** Of what came last, or of the lane's beginning. */
  #lastMs: number;
  /** What the stream threw. */
  failure: { readonly error: unknown } | undefined;

  constructor(stream: AsyncIterable<GetFlowsResponse, void, void>, options: LaneOptions) {
    const { clock } = options;
    this.#stream = stream[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#options = options;
    this.#lastMs = clock.monotonicMs();
  }

  get head(): Head | undefined {
    return this.#queue[this.#at];
  }

  /** Nothing is here, and something may come. */
  get isSilent(): boolean {
    return this.head === undefined && !this.#hasEnded;
  }

  get isOver(): boolean {
    return this.head === undefined && this.#hasEnded;
  }

  get lastMs(): number {
    return this.#lastMs;
  }

  /** Asks for more while fewer than `most` are here. */
  fill(most: number): void {
    if (this.#isAsked || this.#hasEnded || this.#queue.length - this.#at >= most) return;
    this.#isAsked = true;
    this.#stream.next().then(
      (result) => {
        this.#isAsked = false;
        if (result.done === true) this.#hasEnded = true;
        else this.#push(result.value);
        this.fill(most);
        this.#options.onChange();
      },
      (error: unknown) => {
        this.#isAsked = false;
        this.#hasEnded = true;
        this.failure = { error };
        this.#options.onChange();
      },
    );
  }

  take(): GetFlowsResponse | undefined {
    const head = this.head;
    if (head === undefined) return undefined;
    this.#at++;
    if (this.#at === this.#queue.length) {
      this.#queue.length = 0;
      this.#at = 0;
    }
    return head.response;
  }

  /** Tells the stream that nobody reads it any more. */
  leave(): void {
    // What it ends with is nobody's concern.
    this.#stream.return?.().catch(() => undefined);
  }

  #push(response: GetFlowsResponse): void {
    const ownNs = parseTime(response.time) ?? 0n;
    const nowMs = this.#clock.nowMs();
    this.#lastMs = this.#clock.monotonicMs();
    const ageMs = nowMs - Number(ownNs / NS_PER_MS);
    const isNonsense = -ageMs > this.#options.mostAheadMs;
    const flowNs = isNonsense ? BigInt(Math.floor(nowMs)) * NS_PER_MS : ownNs;
    const timeNs = response.flow === undefined ? (this.#flowNs ?? flowNs) : flowNs;
    if (response.flow !== undefined) this.#flowNs = timeNs;
    const isLive = timeNs >= this.#options.liveSinceNs;
    this.#queue.push({ response, timeNs, arrivedMs: this.#lastMs, ageMs: Math.max(0, ageMs), isLive });
  }
}
