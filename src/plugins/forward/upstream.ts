/**
 * One upstream server: how it is asked, how well it is. Health costs nothing while all goes well: probes start with the
 * first failure and end with the first answer (dns-server 3.6).
 */
import { TYPE } from '../../dns/codes.ts';
import { messageLength } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import type { Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import type { Ip } from '../../net/ip.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import { DeadlineQueue } from '../../telemetry/deadline-queue.ts';
import type { Done, ExchangeTools } from './exchange/exchange.ts';
import type { Transport } from './exchange/go-error.ts';
import type { RandomWords } from './exchange/random-words.ts';
import { type TlsIdentity, tcpDialer, tlsDialer } from './exchange/stream-dialer.ts';
import { StreamPool } from './exchange/stream-pool.ts';
import { UdpPool } from './exchange/udp-pool.ts';
import type { UpstreamMetrics } from './metrics.ts';
import type { UpstreamAddress } from './upstream-address.ts';

export interface UpstreamOptions {
  readonly address: UpstreamAddress;
  readonly clock: Clock;
  readonly random: RandomWords;
  readonly metrics: UpstreamMetrics;
  readonly readTimeoutMs: number;
  readonly sourceAddress: Ip | undefined;
  /** Of a `tls://` upstream: what we show and whom we trust. */
  readonly identity: TlsIdentity;
  readonly idleMs: number;
  readonly maxAgeMs: number;
  readonly maxIdle: number;
  /** Down when more probes than this failed in a row; 0 means never, and no probes. */
  readonly maxFails: number;
  readonly probe: ProbeSpec;
}

export interface ProbeSpec {
  readonly intervalMs: number;
  readonly recursionDesired: boolean;
  readonly domain: Name;
  readonly transport: Transport;
}

const PROBE_TIMEOUT_MS = 1000;
/** More connections cannot have gone stale one after the other than a pool holds; the bound only ends a mad peer. */
const MAX_STALE_RETRIES = 3;
/** A TCP client's query may be longer than a datagram can be: it goes on by TCP, whatever the options say. */
const MAX_UDP_QUERY_BYTES = 4096;

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #streams: StreamPool;
  readonly #ports: UdpPool;
  #fails = 0;
  #isProbing = false;
  #pause: Timer | undefined;
  #isClosed = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    const deadlines = new DeadlineQueue(options.clock, options.readTimeoutMs);
    const proto = options.address.tls ? 'tcp-tls' : 'tcp';
    this.#streams = this.#makeStreams({ ...options, deadlines }, (reused) =>
      options.metrics.connection(proto, reused),
    );
    this.#ports = this.#makePorts({ ...options, deadlines }, (reused) =>
      options.metrics.connection('udp', reused),
    );
  }

  /** `10.0.0.1:53`. */
  get text(): string {
    return this.#options.address.text;
  }

  get down(): boolean {
    return this.#options.maxFails > 0 && this.#fails > this.#options.maxFails;
  }

  /** Asks once; a connection that died of old age does not count. A TLS upstream is asked by nothing else. */
  ask(query: Message, transport: Transport, done: Done): void {
    const { clock, metrics } = this.#options;
    const startedMs = clock.monotonicMs();
    const answered: Done = (outcome) => {
      if (outcome.ok) metrics.answered(outcome.reply.rcode, (clock.monotonicMs() - startedMs) / 1000);
      done(outcome);
    };
    if (transport === 'udp' && this.takesDatagram(query)) this.#ports.ask(query, answered);
    else this.#askStream(query, answered, { newerThan: 0, retries: MAX_STALE_RETRIES });
  }

  /** Whether UDP is a way to ask this here. */
  takesDatagram(query: Message): boolean {
    if (this.#options.address.tls) return false;
    // Only options can make a query long; looking at all the others would cost.
    return (query.edns?.options.length ?? 0) === 0 || messageLength(query) <= MAX_UDP_QUERY_BYTES;
  }

  /** Called after a failure. At most one probe is under way, and none when `max_fails` is 0. */
  checkHealth(): void {
    if (this.#isProbing || this.#isClosed || this.#options.maxFails === 0) return;
    this.#isProbing = true;
    this.#probe();
  }

  /** What is under way may finish. */
  close(): void {
    this.#isClosed = true;
    this.#pause?.cancel();
    this.#streams.close();
    this.#ports.close();
  }

  #askStream(query: Message, done: Done, again: { newerThan: number; retries: number }): void {
    const outcomeOf: Done = (outcome) => {
      const isStale = !outcome.ok && outcome.staleSerial !== undefined;
      if (!isStale || again.retries === 0 || this.#isClosed) done(outcome);
      else this.#askStream(query, done, { newerThan: outcome.staleSerial, retries: again.retries - 1 });
    };
    this.#streams.ask(query, outcomeOf, again.newerThan);
  }

  #probe(): void {
    const { clock, metrics, probe } = this.#options;
    this.#ping((outcome) => {
      if (this.#isClosed) return;
      if (outcome.ok || outcome.wrongQuestion) {
        this.#fails = 0;
        this.#isProbing = false;
        return;
      }
      this.#fails++;
      metrics.probeFailed();
      this.#pause = clock.after(probe.intervalMs, () => this.#probe());
    });
  }

  /** Any answer that parses is a sign of life, whatever it says. A connection of its own, so that it proves a dial. */
  #ping(done: Done): void {
    const { address, probe } = this.#options;
    const { domain, recursionDesired } = probe;
    const query = plainQuery({ name: domain, type: TYPE.NS }, { recursionDesired });
    const deadlines = new DeadlineQueue(this.#options.clock, PROBE_TIMEOUT_MS);
    const tools = { ...this.#options, deadlines };
    const pool =
      probe.transport === 'udp' && !address.tls
        ? this.#makePorts(tools, () => undefined)
        : this.#makeStreams(tools, () => undefined);
    pool.ask(query, done);
    pool.close();
  }

  #makeStreams(tools: ExchangeTools, onPick: (reused: boolean) => void): StreamPool {
    const { address, identity, idleMs, maxAgeMs, maxIdle, sourceAddress } = this.#options;
    const spec = { upstream: address, sourceAddress };
    return new StreamPool({
      clock: tools.clock,
      random: tools.random,
      deadlines: tools.deadlines,
      upstream: address,
      dialer: address.tls ? tlsDialer(spec, identity, address.serverName) : tcpDialer(spec),
      idleMs,
      maxAgeMs,
      maxIdle,
      onPick,
    });
  }

  #makePorts(tools: ExchangeTools, onPick: (reused: boolean) => void): UdpPool {
    const { address, idleMs, maxAgeMs, sourceAddress } = this.#options;
    return new UdpPool({
      clock: tools.clock,
      random: tools.random,
      deadlines: tools.deadlines,
      upstream: address,
      sourceAddress,
      maxAgeMs: maxAgeMs > 0 ? Math.min(idleMs, maxAgeMs) : idleMs,
      onPick,
    });
  }
}
