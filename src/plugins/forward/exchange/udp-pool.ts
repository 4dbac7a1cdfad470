/**
 * The UDP ports that questions to one upstream leave from. Who wants to forge an answer from afar must guess the id (16
 * bits) and the port. A new port for each query is what RFC 5452 section 9.2 has in mind, and costs ten times what the
 * rest of a query does. Here instead many ports are open at once, and each question takes one of them at random:
 * - ports are drawn by the kernel from all that are free for such use (28,232 by default, 14.8 bits), so a blind guess
 *   has one chance in 28,232 × 65,536 (30.8 bits), no more than against a port used once;
 * - a port lives for some hundreds of questions, a random number of them, and at most ten seconds: what a scan finds out
 *   is soon worth nothing, and the answer to one question says nothing of the port of the next;
 * - even who knew all ports of a moment would have to hit one of at least 64 (6 bits) and the id, for each question;
 * - equal questions share one query, so many open guesses at one answer (the birthday attack) do not come to be;
 * - a port that hears too many wrong ids is given up (`Outstanding`).
 * The first questions each bring a port of their own, so quiet servers use each port once.
 */
import type { Message } from '../../../dns/message.ts';
import type { Ip } from '../../../net/ip.ts';
import type { UpstreamAddress } from '../upstream-address.ts';
import { Batch } from './batch.ts';
import type { Done, ExchangeTools } from './exchange.ts';
import { type Arrival, type Departure, UdpPort } from './udp-port.ts';

export const MIN_PORTS = 64;
const MAX_PORTS = 512;
/** A question that draws a port with so many under way opens another one. */
const LOAD_PER_PORT = 8;
/** Questions of one port: a number drawn between these, so that ports do not come and go together. */
const MIN_QUESTIONS = 256;
const QUESTIONS_SPREAD = 512;
const MAX_AGE_MS = 10_000;

export interface UdpPoolOptions extends ExchangeTools {
  readonly upstream: UpstreamAddress;
  readonly sourceAddress: Ip | undefined;
  /** How long a port may live; never more than ten seconds, and 0 means a port for each question. */
  readonly maxAgeMs: number;
  /** Called per question: did it take a port that was open already? */
  readonly onPick: (reused: boolean) => void;
}

export class UdpPool {
  readonly #options: UdpPoolOptions;
  readonly #maxAgeMs: number;
  /** Those that take questions, in no order. Retired ones close by themselves. */
  readonly #ports: UdpPort[] = [];
  readonly #arrivals = new Batch<Arrival>(setImmediate, ({ port, bytes }) => port.receive(bytes));
  readonly #departures = new Batch<Departure>(process.nextTick, ({ port, waiting }) => port.send(waiting));
  #isSweeping = false;
  #isClosed = false;

  constructor(options: UdpPoolOptions) {
    this.#options = options;
    this.#maxAgeMs = Math.min(options.maxAgeMs, MAX_AGE_MS);
  }

  get size(): number {
    return this.#ports.length;
  }

  ask(query: Message, done: Done): void {
    const port = this.#pick();
    port.ask(query, done);
    if (this.#isClosed) port.retire();
  }

  /** What is under way may finish. Each question brings a port of its own from then on. */
  close(): void {
    this.#isClosed = true;
    for (const port of [...this.#ports]) port.retire();
  }

  #pick(): UdpPort {
    const ports = this.#ports;
    const drawn = ports.length < MIN_PORTS ? undefined : ports[this.#options.random.below(ports.length)];
    const isBusy = drawn === undefined || (drawn.load >= LOAD_PER_PORT && ports.length < MAX_PORTS);
    this.#options.onPick(!isBusy);
    return isBusy ? this.#open() : drawn;
  }

  #open(): UdpPort {
    const { random } = this.#options;
    const port = new UdpPort({
      ...this.#options,
      arrivals: this.#arrivals,
      departures: this.#departures,
      questions: this.#maxAgeMs > 0 ? MIN_QUESTIONS + random.below(QUESTIONS_SPREAD) : 1,
      onRetired: (retired) => this.#remove(retired),
    });
    this.#ports.push(port);
    if (!this.#isSweeping) this.#sweepIn(this.#maxAgeMs);
    return port;
  }

  #remove(port: UdpPort): void {
    const at = this.#ports.indexOf(port);
    if (at >= 0) this.#ports.splice(at, 1);
  }

  #sweepIn(delayMs: number): void {
    if (this.#isClosed || delayMs <= 0) return;
    this.#isSweeping = true;
    this.#options.clock.after(delayMs, () => this.#sweep());
  }

  #sweep(): void {
    this.#isSweeping = false;
    const nowMs = this.#options.clock.monotonicMs();
    for (const port of [...this.#ports]) if (nowMs - port.openedMs >= this.#maxAgeMs) port.retire();
    if (this.#ports.length === 0) return;
    const oldestMs = Math.min(...this.#ports.map((port) => port.openedMs));
    this.#sweepIn(oldestMs + this.#maxAgeMs - nowMs);
  }
}
