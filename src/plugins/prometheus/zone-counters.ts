/** What the queries of one zone on one listener are counted on, bound at first use. */
import { rcodeName } from '../../dns/codes.ts';
import { ipFamily } from '../../net/ip.ts';
import type { Query } from '../../server/handler.ts';
import type { Counter, Histogram } from '../../telemetry/metrics.ts';
import type { ReplayTotals } from '../contract.ts';
import { type DnsFamilies, typeLabel } from './families.ts';

export interface Outcome {
  readonly rcode: number;
  /** Label of who is said to have answered; empty for a reply that the server makes. */
  readonly plugin: string;
  readonly bytes: number;
  readonly seconds: number;
}

interface TransportCounters {
  readonly requestSize: Histogram;
  readonly responseSize: Histogram;
  /** By type label. */
  readonly ipv4: Map<string, Counter>;
  readonly ipv6: Map<string, Counter>;
}

export class ZoneCounters {
  readonly #families: DnsFamilies;
  readonly #labels: readonly [server: string, zone: string, view: string];
  readonly #duration: Histogram;
  /** By `plugin`, then by rcode. */
  readonly #responses = new Map<string, Map<number, Counter>>();
  readonly #transports = new Map<Query['transport'], TransportCounters>();
  #doRequests: Counter | undefined;

  constructor(families: DnsFamilies, { server, zone, view }: Pick<Query, 'server' | 'zone' | 'view'>) {
    this.#families = families;
    this.#labels = [server, zone, view];
    this.#duration = families.duration.with(...this.#labels);
  }

  count(query: Query, { rcode, plugin, bytes, seconds }: Outcome): void {
    const transport = this.#transport(query.transport);
    transport.requestSize.observe(query.wire.length);
    transport.responseSize.observe(bytes);
    this.#duration.observe(seconds);
    this.#request(query, transport).inc();
    this.#response(rcode, plugin).inc();
    if (!query.message.edns?.dnssecOk) return;
    this.#doRequests ??= this.#families.doRequests.with(...this.#labels);
    this.#doRequests.inc();
  }

  /** Of answers that were given without the chain. */
  add(totals: ReplayTotals, plugin: string): void {
    const transport = this.#transport(totals.transport);
    transport.requestSize.merge(totals.requestSizes, totals.requestBytes);
    transport.responseSize.merge(totals.responseSizes, totals.responseBytes);
    const durations = totals.durations.map(({ upToSeconds, count }) => ({ upTo: upToSeconds, count }));
    this.#duration.merge(durations, totals.durationSeconds);
    for (const { family, type, count } of totals.requests) {
      const counters = family === '1' ? transport.ipv4 : transport.ipv6;
      this.#typed(counters, { family, transport: totals.transport, type: typeLabel(type) }).inc(count);
    }
    for (const { rcode, count } of totals.rcodes) this.#response(rcode, plugin).inc(count);
    if (totals.doRequests === 0) return;
    this.#doRequests ??= this.#families.doRequests.with(...this.#labels);
    this.#doRequests.inc(totals.doRequests);
  }

  #transport(name: Query['transport']): TransportCounters {
    const known = this.#transports.get(name);
    if (known !== undefined) return known;
    const created: TransportCounters = {
      requestSize: this.#families.requestSize.with(...this.#labels, name),
      responseSize: this.#families.responseSize.with(...this.#labels, name),
      ipv4: new Map(),
      ipv6: new Map(),
    };
    this.#transports.set(name, created);
    return created;
  }

  #request({ client, transport, question }: Query, { ipv4, ipv6 }: TransportCounters): Counter {
    const isIpv4 = ipFamily(client.address) === 4;
    const type = typeLabel(question.type);
    return this.#typed(isIpv4 ? ipv4 : ipv6, { family: isIpv4 ? '1' : '2', transport, type });
  }

  #typed(
    counters: Map<string, Counter>,
    { transport, family, type }: { transport: string; family: string; type: string },
  ): Counter {
    const known = counters.get(type);
    if (known !== undefined) return known;
    const created = this.#families.requests.with(...this.#labels, transport, family, type);
    counters.set(type, created);
    return created;
  }

  /** Twelve bits at most, so there is a bound to what upstreams can make us keep. */
  #response(rcode: number, plugin: string): Counter {
    const responses = this.#responses.get(plugin) ?? new Map<number, Counter>();
    this.#responses.set(plugin, responses);
    const known = responses.get(rcode);
    if (known !== undefined) return known;
    const created = this.#families.responses.with(...this.#labels, rcodeName(rcode), plugin);
    responses.set(rcode, created);
    return created;
  }
}
