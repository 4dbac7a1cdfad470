/**
 * Counts and times what passes (dns-server 3.5 and 8). All a query costs is a few look-ups and additions: what the
 * metrics are counted on is bound once per label set and kept, in `zone-counters.ts`.
 */
import { lengthWithoutOpt } from '../../dns/encode-message.ts';
import type { Name } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ReplayTotals } from '../contract.ts';
import { dnsFamilies } from './families.ts';
import { ZoneCounters } from './zone-counters.ts';

export interface PrometheusOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** The plugin behind this one in the chain; asked once queries come. Empty when there is none. */
  readonly nextWord: () => string;
}

export interface PrometheusPlugin {
  readonly plugin: Plugin;
  /** Counts answers that were given without the chain; such a block has no view. */
  readonly add: (server: string, zone: Name, totals: ReplayTotals) => void;
}

export function prometheusPlugin({ metrics, clock, nextWord }: PrometheusOptions): PrometheusPlugin {
  const families = dnsFamilies(metrics);
  /** By server, then by zone: as many as the Corefile has. A block has one view. */
  const counters = new Map<string, Map<string, ZoneCounters>>();
  const plugin: Plugin = (next) => (query) => {
    const startMs = clock.monotonicMs();
    const reply = next(query);
    return reply instanceof Promise
      ? reply.then((late) => record(query, late, startMs))
      : record(query, reply, startMs);
  };
  return {
    plugin,
    add: (server, zone, totals) => countersFor({ server, zone, view: '' }).add(totals, nextWord()),
  };

  function record(query: Query, reply: Reply, startMs: number): Reply {
    const seconds = (clock.monotonicMs() - startMs) / 1000;
    const plugin = reply.message === undefined ? '' : nextWord();
    const outcome = { rcode: reply.rcode, plugin, bytes: replySize(query, reply), seconds };
    countersFor(query).count(query, outcome);
    return reply;
  }

  function countersFor(query: Pick<Query, 'server' | 'zone' | 'view'>): ZoneCounters {
    const { server, zone } = query;
    const zones = counters.get(server) ?? new Map<string, ZoneCounters>();
    counters.set(server, zones);
    const known = zones.get(zone);
    if (known !== undefined) return known;
    const created = new ZoneCounters(families, query);
    zones.set(zone, created);
    return created;
  }
}

/** Without compression and without the OPT record, which the server adds later. */
function replySize(query: Query, reply: Reply): number {
  return lengthWithoutOpt(reply.message ?? replyTo(query.message, { rcode: reply.rcode }));
}
