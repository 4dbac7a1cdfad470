/**
 * From a query to an upstream's answer: which upstreams are tried, in which order and for how long (dns-server 3.6,
 * behaviours 2 to 11). Knows nothing of zones or of the chain.
 */
import { RCODE } from '../../dns/codes.ts';
import type { Message } from '../../dns/message.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Exchanged } from './exchange/exchange.ts';
import type { Transport } from './exchange/go-error.ts';
import type { ForwardMetrics } from './metrics.ts';
import type { Policy } from './policy.ts';
import type { Upstream } from './upstream.ts';

export interface RelayOptions {
  /** Complete once the server has started: names of upstreams are resolved then. */
  readonly upstreams: () => readonly Upstream[];
  readonly policy: Policy;
  readonly random: () => number;
  readonly clock: Clock;
  readonly metrics: ForwardMetrics;
  /** 0 means as many as the deadline allows; undefined means twice the number of upstreams. */
  readonly maxAttempts: number | undefined;
  readonly failfast: boolean;
  /** A reply with one of these is passed over while another upstream is left. */
  readonly failover: ReadonlySet<number>;
  readonly preferUdp: boolean;
}

/** What came of it: a reply as the upstream sent it, or the rcode to give the client instead. */
export type Relayed =
  | { readonly ok: true; readonly reply: Message; readonly upstream: string }
  | { readonly ok: false; readonly rcode: number; readonly error: Error | undefined };

/** Looked at before each attempt, so the last one may end later by its own timeout. */
const DEADLINE_MS = 5000;

/** Calls `done` once. */
export function relay(
  query: Message,
  options: RelayOptions & { readonly transport: Transport },
  done: (relayed: Relayed) => void,
): void {
  new Relay(query, options, done).attempt();
}

class Relay {
  readonly #query: Message;
  readonly #options: RelayOptions & { readonly transport: Transport };
  readonly #done: (relayed: Relayed) => void;
  readonly #order: readonly Upstream[];
  readonly #maxAttempts: number;
  readonly #deadlineMs: number;
  #attempts = 0;
  #passedOver = 0;
  /** Index in the order where the search for the next upstream starts. */
  #from = 0;
  #lastError: Error | undefined;

  constructor(
    query: Message,
    options: RelayOptions & { readonly transport: Transport },
    done: (relayed: Relayed) => void,
  ) {
    const upstreams = options.upstreams();
    this.#query = query;
    this.#options = options;
    this.#done = done;
    this.#order = options.policy(upstreams);
    this.#maxAttempts = options.maxAttempts ?? 2 * upstreams.length;
    this.#deadlineMs = options.clock.monotonicMs() + DEADLINE_MS;
  }

  attempt(): void {
    const isLate = this.#options.clock.monotonicMs() >= this.#deadlineMs;
    const isSpent = this.#maxAttempts > 0 && this.#attempts >= this.#maxAttempts;
    const picked = isLate || isSpent ? undefined : this.#pick();
    if (picked === undefined) {
      this.#giveUp();
      return;
    }
    this.#attempts++;
    this.#ask(picked.upstream, this.#options.transport, picked.isLastResort);
  }

  #ask(upstream: Upstream, transport: Transport, isLastResort: boolean): void {
    upstream.ask(this.#query, transport, (outcome) => {
      if (this.#isCutShort(upstream, transport, outcome)) this.#ask(upstream, 'tcp', isLastResort);
      else if (outcome.ok) this.#replied(upstream, outcome.reply);
      else this.#failed(upstream, outcome, isLastResort);
    });
  }

  /** With `prefer_udp` a truncated answer is fetched again by TCP; without, truncation is the client's business. */
  #isCutShort(upstream: Upstream, transport: Transport, outcome: Exchanged): boolean {
    if (!this.#options.preferUdp || transport !== 'udp' || !outcome.ok) return false;
    return outcome.reply.flags.truncated && upstream.takesDatagram(this.#query);
  }

  #replied(upstream: Upstream, reply: Message): void {
    if (this.#options.failover.has(reply.rcode) && ++this.#passedOver < this.#order.length) this.attempt();
    else this.#done({ ok: true, reply, upstream: upstream.text });
  }

  #failed(upstream: Upstream, outcome: Exchanged & { ok: false }, isLastResort: boolean): void {
    if (outcome.wrongQuestion) {
      this.#done({ ok: false, rcode: RCODE.FORMERR, error: undefined });
      return;
    }
    this.#lastError = outcome.error;
    upstream.checkHealth();
    if (isLastResort) this.#giveUp();
    else this.attempt();
  }

  #giveUp(): void {
    const error = this.#lastError ?? new Error('no healthy proxies');
    this.#done({ ok: false, rcode: RCODE.SERVFAIL, error });
  }

  /**
   * The next upstream that is up, from where the last one stood and round. When all are down, one drawn at random gets a
   * single chance, unless that is not wanted.
   */
  #pick(): { readonly upstream: Upstream; readonly isLastResort: boolean } | undefined {
    const order = this.#order;
    for (let i = 0; i < order.length; i++) {
      const index = (this.#from + i) % order.length;
      const upstream = order[index];
      if (upstream === undefined || upstream.down) continue;
      this.#from = index + 1;
      return { upstream, isLastResort: false };
    }
    const { failfast, metrics, random } = this.#options;
    metrics.allDown();
    const upstream = order[Math.floor(random() * order.length)];
    return failfast || upstream === undefined ? undefined : { upstream, isLastResort: true };
  }
}
