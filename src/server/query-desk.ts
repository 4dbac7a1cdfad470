/** Where a listener's transports bring their queries: holds the current router and counts what is under way. */
import type { Clock } from '../telemetry/clock.ts';
import { DeadlineQueue } from '../telemetry/deadline-queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { ListenerConduct } from './listener-options.ts';
import type { ServeObserver } from './observer.ts';
import { routerOf } from './router.ts';
import {
  type Answer,
  type Arrival,
  firstMessage,
  type Outcome,
  type ServeContext,
  serveQuery,
} from './serve-query.ts';

/** Queries of a listener waiting for their chain, some kilobytes each; more are dropped as by a full socket buffer. */
export const MAX_IN_FLIGHT = 16_384;
/** No client waits longer; a handler that never answers must not keep its place for ever. */
export const ABANDON_MS = 30_000;

export interface QueryDeskSpec extends ListenerConduct {
  readonly server: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly observer?: ServeObserver;
  /** Default `MAX_IN_FLIGHT`. */
  readonly maxInFlight?: number;
}

export class QueryDesk {
  readonly #spec: QueryDeskSpec;
  readonly #observer: ServeObserver;
  readonly #maxInFlight: number;
  readonly #deadlines: DeadlineQueue;
  #context: ServeContext;
  #inFlight = 0;
  #whenIdle: PromiseWithResolvers<void> | undefined;

  constructor(spec: QueryDeskSpec) {
    this.#spec = spec;
    this.#observer = spec.observer ?? {};
    this.#maxInFlight = spec.maxInFlight ?? MAX_IN_FLIGHT;
    this.#deadlines = new DeadlineQueue(spec.clock, ABANDON_MS);
    this.#context = this.#contextOf(spec);
  }

  /** Takes effect for the next query. */
  configure(conduct: ListenerConduct): void {
    this.#context = this.#contextOf(conduct);
  }

  serve(arrival: Arrival): Answer {
    const answer = this.#ask(arrival);
    if (!(answer instanceof Promise)) return answer;
    return new Promise((resolve) => this.#await(answer, resolve));
  }

  /** `serve` for transports that take their answer by call. */
  readonly answer = (arrival: Arrival, respond: (bytes: Uint8Array) => void): void => {
    const answer = this.#ask(arrival);
    if (answer instanceof Promise) this.#await(answer, (outcome) => send(outcome, respond));
    else send(answer, respond);
  };

  /** Resolves when nothing is under way and the last answers have been handed to their sockets. */
  whenIdle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    this.#whenIdle ??= Promise.withResolvers();
    return this.#whenIdle.promise;
  }

  #ask(arrival: Arrival): Answer {
    if (this.#inFlight < this.#maxInFlight) return serveQuery(arrival, this.#context);
    this.#observer.onShed?.();
    return undefined;
  }

  /** Calls `land` once, `ABANDON_MS` from now at the latest. */
  #await(answer: Promise<Outcome>, land: (outcome: Outcome) => void): void {
    const deadline = this.#deadlines.add(() => {
      this.#observer.onShed?.();
      settle(undefined);
    });
    let isSettled = false;
    const settle = (outcome: Outcome) => {
      if (isSettled) return;
      isSettled = true;
      this.#deadlines.remove(deadline);
      this.#settled();
      land(outcome);
    };
    this.#inFlight++;
    void answer.then(settle);
  }

  #settled(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    const waiter = this.#whenIdle;
    this.#whenIdle = undefined;
    // A turn later: who awaits the answer that has just been made sends it first.
    if (waiter !== undefined) setImmediate(waiter.resolve);
  }

  #contextOf({ routes, keptOptions, debug, stacktrace }: ListenerConduct): ServeContext {
    const { server, log } = this.#spec;
    const kept = keptOptions?.size ? keptOptions : undefined;
    return {
      server,
      log,
      observer: this.#observer,
      router: routerOf(routes),
      keptOptions: kept,
      debug,
      stacktrace,
    };
  }
}

/** A datagram is one message: what would follow the first stays here. */
function send(outcome: Outcome, respond: (bytes: Uint8Array) => void): void {
  const bytes = firstMessage(outcome);
  if (bytes !== undefined) respond(bytes);
}
