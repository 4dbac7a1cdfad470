/**
 * What is known of one backend from the questions it was asked: pure, fed with a time that stands still while the agent
 * itself is kept from running, so that a busy node is not taken for a dead server.
 */

/** A server that does not beat: one that hangs is left within 500 ms (one interval, this bound, one look). */
export const HASTY = { intervalMs: 100, boundMs: 300 } as const;
/** A server that beats: hanging shows in its beats, probes are for what those cannot see. */
export const PATIENT = { intervalMs: 1000, boundMs: 3000 } as const;
export const TCP_PACE = { intervalMs: 1000, boundMs: 1000 } as const;

/** Answers in a row before a backend is trusted again. */
const GOOD_ENOUGH = 2;
/** A lost segment is sent again after a second: one such connection proves nothing. */
const BAD_ENOUGH = 2;

export interface Pace {
  readonly intervalMs: number;
  readonly boundMs: number;
}

export class UdpState {
  sent = 0;
  answered = 0;
  lastAnswerMs: number | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** The first question since the last answer. */
  #pendingMs: number | undefined;
  #good = 0;
  #isDown: boolean;

  /** An agent before this one may have found it down: then it is until it answers. */
  constructor(isDown: boolean) {
    this.#isDown = isDown;
  }

  get isDown(): boolean {
    return this.#isDown;
  }

  get answers(): boolean {
    return !this.#isDown && this.#good >= GOOD_ENOUGH;
  }

  isDue(nowMs: number, pace: Pace): boolean {
    // A server that is down is asked often whatever it is: it is missed.
    const intervalMs = this.#isDown ? HASTY.intervalMs : pace.intervalMs;
    return nowMs - this.#askedMs >= intervalMs;
  }

  asked(nowMs: number): void {
    this.sent++;
    this.#askedMs = nowMs;
    this.#pendingMs ??= nowMs;
  }

  heard(nowMs: number): void {
    this.answered++;
    this.lastAnswerMs = nowMs;
    this.#pendingMs = undefined;
    this.#good++;
    if (this.#good >= GOOD_ENOUGH) this.#isDown = false;
  }

  judge(nowMs: number, { boundMs }: Pace): void {
    if (this.#pendingMs === undefined || nowMs - this.#pendingMs <= boundMs) return;
    this.#isDown = true;
    this.#good = 0;
  }
}

export type Connection = 'connected' | 'refused' | 'no answer';

/** Refused is no verdict here: the program asks for the listening socket itself, packet by packet. */
export class TcpState {
  last: Connection | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #good = 0;
  #bad = 0;
  #isDown = false;

  get isDown(): boolean {
    return this.#isDown;
  }

  isDue(nowMs: number): boolean {
    return !this.#isAsking && nowMs - this.#askedMs >= TCP_PACE.intervalMs;
  }

  asked(nowMs: number): void {
    this.#askedMs = nowMs;
    this.#isAsking = true;
  }

  /** Whether it should have been answered by now. */
  isOverdue(nowMs: number): boolean {
    return this.#isAsking && nowMs - this.#askedMs > TCP_PACE.boundMs;
  }

  heard(what: Connection): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    this.last = what;
    this.#good = what === 'no answer' ? 0 : this.#good + 1;
    this.#bad = what === 'no answer' ? this.#bad + 1 : 0;
    if (this.#bad >= BAD_ENOUGH) this.#isDown = true;
    if (this.#good >= GOOD_ENOUGH) this.#isDown = false;
  }
}
