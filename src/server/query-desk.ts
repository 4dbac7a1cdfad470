/** Where a listener's transports bring their queries: holds the current router and counts what is under way. */
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { ServeObserver } from './observer.ts';
import { type Router, routerOf, type ServerRoute } from './router.ts';
import { type Answer, type Arrival, serveQuery } from './serve-query.ts';

/** Queries of a listener waiting for their chain, some kilobytes each; more are dropped as by a full socket buffer. */
export const MAX_IN_FLIGHT = 16_384;
/** No client waits longer; a handler that never answers must not keep its place for ever. */
export const ABANDON_MS = 30_000;

export interface QueryDeskSpec {
  readonly server: string;
  readonly routes: readonly ServerRoute[];
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
  #router: Router;
  #inFlight = 0;
  #whenIdle: PromiseWithResolvers<void> | undefined;

  constructor(spec: QueryDeskSpec) {
    this.#spec = spec;
    this.#observer = spec.observer ?? {};
    this.#maxInFlight = spec.maxInFlight ?? MAX_IN_FLIGHT;
    this.#router = routerOf(spec.routes);
  }

  replaceRoutes(routes: readonly ServerRoute[]): void {
    this.#router = routerOf(routes);
  }

  serve(arrival: Arrival): Answer {
    if (this.#inFlight >= this.#maxInFlight) {
      this.#observer.onShed?.();
      return undefined;
    }
    const { server, log } = this.#spec;
    const answer = serveQuery(arrival, { server, log, router: this.#router, observer: this.#observer });
    if (!(answer instanceof Promise)) return answer;
    return this.#await(answer);
  }

  /** `serve` for transports that take their answer by call. */
  readonly answer = (arrival: Arrival, respond: (bytes: Uint8Array) => void): void => {
    const answer = this.serve(arrival);
    if (answer instanceof Promise) void answer.then((bytes) => bytes && respond(bytes));
    else if (answer !== undefined) respond(answer);
  };

  /** Resolves when nothing is under way and the last answers have been handed to their sockets. */
  whenIdle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    this.#whenIdle ??= Promise.withResolvers();
    return this.#whenIdle.promise;
  }

  #await(answer: Promise<Uint8Array | undefined>): Promise<Uint8Array | undefined> {
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
    const timer = this.#spec.clock.after(ABANDON_MS, () => {
      this.#observer.onShed?.();
      settle(undefined);
    });
    let isSettled = false;
    const settle = (bytes: Uint8Array | undefined) => {
      if (isSettled) return;
      isSettled = true;
      timer.cancel();
      this.#settled();
      resolve(bytes);
    };
    this.#inFlight++;
    void answer.then(settle);
    return promise;
  }

  #settled(): void {
    this.#inFlight--;
    if (this.#inFlight > 0) return;
    const waiter = this.#whenIdle;
    this.#whenIdle = undefined;
    // A turn later: who awaits the answer that has just been made sends it first.
    if (waiter !== undefined) setImmediate(waiter.resolve);
  }
}
