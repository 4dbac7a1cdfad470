/**
 * One upstream server: how it is asked, how well it is. Health costs nothing while all goes well: probes start with the
 * first failure and end with the first answer (dns-server 3.6).
 */
import { TYPE } from '../../dns/codes.ts';
import type { Message } from '../../dns/message.ts';
import type { Name } from '../../dns/name.ts';
import { plainQuery } from '../../dns/plain-query.ts';
import type { Timer } from '../../telemetry/clock.ts';
import type { Exchanged, ExchangeTools } from './exchange.ts';
import type { Transport } from './go-error.ts';
import type { ForwardMetrics } from './metrics.ts';
import { TcpPool } from './tcp-pool.ts';
import { exchangeUdp } from './udp-exchange.ts';
import type { UpstreamAddress } from './upstream-address.ts';

export interface UpstreamOptions {
  readonly address: UpstreamAddress;
  readonly tools: ExchangeTools;
  readonly metrics: ForwardMetrics;
  readonly idleMs: number;
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

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #pool: TcpPool;
  #fails = 0;
  #probing = false;
  #pause: Timer | undefined;
  #closed = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#pool = new TcpPool({
      ...options.tools,
      upstream: options.address,
      idleMs: options.idleMs,
      onPick: (reused) => options.metrics.connection(options.address.text, 'tcp', reused),
    });
  }

  /** `10.0.0.1:53`. */
  get text(): string {
    return this.#options.address.text;
  }

  get down(): boolean {
    return this.#options.maxFails > 0 && this.#fails > this.#options.maxFails;
  }

  /** Asks once; a connection that died of old age does not count. Never rejects. */
  async ask(query: Message, transport: Transport): Promise<Exchanged> {
    const { address, metrics, tools } = this.#options;
    const startedMs = tools.clock.monotonicMs();
    const outcome = await this.#exchange(query, transport);
    if (outcome.ok) {
      metrics.answered(address.text, outcome.reply.rcode, (tools.clock.monotonicMs() - startedMs) / 1000);
    }
    return outcome;
  }

  /** Called after a failure. At most one probe is under way, and none when `max_fails` is 0. */
  checkHealth(): void {
    if (this.#probing || this.#closed || this.#options.maxFails === 0) return;
    this.#probing = true;
    void this.#probe();
  }

  close(): void {
    this.#closed = true;
    this.#pause?.cancel();
    this.#pool.close();
  }

  async #exchange(query: Message, transport: Transport): Promise<Exchanged> {
    const { address, metrics, tools } = this.#options;
    if (transport === 'udp') {
      metrics.connection(address.text, 'udp', false);
      return exchangeUdp(query, address, tools);
    }
    let outcome = await this.#pool.ask(query);
    for (let i = 0; i < MAX_STALE_RETRIES; i++) {
      if (outcome.ok || outcome.staleSerial === undefined || this.#closed) break;
      outcome = await this.#pool.ask(query, outcome.staleSerial);
    }
    return outcome;
  }

  async #probe(): Promise<void> {
    const { address, metrics, probe, tools } = this.#options;
    const outcome = await this.#ping();
    if (this.#closed) return;
    if (outcome.ok) {
      this.#fails = 0;
      this.#probing = false;
      return;
    }
    this.#fails++;
    metrics.probeFailed(address.text);
    this.#pause = tools.clock.after(probe.intervalMs, () => void this.#probe());
  }

  /** Any answer that parses is a sign of life, whatever it says. A connection of its own, so that it proves a dial. */
  async #ping(): Promise<Exchanged> {
    const { address, idleMs, probe, tools } = this.#options;
    const quick = { ...tools, readTimeoutMs: PROBE_TIMEOUT_MS };
    const { domain, recursionDesired } = probe;
    const query = plainQuery({ name: domain, type: TYPE.NS }, { recursionDesired });
    if (probe.transport === 'udp') return exchangeUdp(query, address, quick);
    const pool = new TcpPool({ ...quick, upstream: address, idleMs, onPick: () => undefined });
    const outcome = await pool.ask(query);
    pool.close();
    return outcome;
  }
}
