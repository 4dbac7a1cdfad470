/** The metrics of `cache`, under the names dashboards know (dns-server 3.7 and 8). */
import type { Counter, Gauge, Metrics } from '../../telemetry/metrics.ts';
import type { Share } from '../../wirecache/contract.ts';

/** Children bound to one server and zone list, so that counting a hit is one addition. */
export interface CacheMetrics {
  readonly requests: Counter;
  readonly misses: Counter;
  readonly prefetches: Counter;
  readonly drops: Counter;
  readonly servedStale: Counter;
  readonly hits: Readonly<Record<Share, Counter>>;
  readonly evictions: Readonly<Record<Share, Counter>>;
  readonly entries: Readonly<Record<Share, Gauge>>;
}

/** Gives the children for a server label. There are as many servers as listeners, so the map stays small. */
export function cacheMetrics(metrics: Metrics, zones: string): (server: string) => CacheMetrics {
  const families = makeFamilies(metrics);
  const bound = new Map<string, CacheMetrics>();
  return (server) => {
    const known = bound.get(server);
    if (known !== undefined) return known;
    const children = bind(families, server, zones);
    bound.set(server, children);
    return children;
  };
}

const PLAIN = ['server', 'zones', 'view'];
const TYPED = ['server', 'type', 'zones', 'view'];

function makeFamilies(metrics: Metrics) {
  const counter = (name: string, help: string, labels = PLAIN) =>
    metrics.counter({ name: `coredns_cache_${name}`, help, labels });
  return {
    requests: counter('requests_total', 'Queries the cache was asked'),
    misses: counter('misses_total', 'Queries it had no answer for'),
    prefetches: counter('prefetch_total', 'Answers fetched before they expired'),
    drops: counter('drops_total', 'Answers not kept because they were to another question'),
    servedStale: counter('served_stale_total', 'Answers given after they had expired'),
    hits: counter('hits_total', 'Queries answered from the cache', TYPED),
    evictions: counter('evictions_total', 'Answers that had to go for lack of room', TYPED),
    entries: metrics.gauge({ name: 'coredns_cache_entries', help: 'Answers in the cache', labels: TYPED }),
  };
}

function bind(families: ReturnType<typeof makeFamilies>, server: string, zones: string): CacheMetrics {
  const { hits, evictions, entries, ...plain } = families;
  return {
    requests: plain.requests.with(server, zones, ''),
    misses: plain.misses.with(server, zones, ''),
    prefetches: plain.prefetches.with(server, zones, ''),
    drops: plain.drops.with(server, zones, ''),
    servedStale: plain.servedStale.with(server, zones, ''),
    hits: {
      success: hits.with(server, 'success', zones, ''),
      denial: hits.with(server, 'denial', zones, ''),
    },
    evictions: {
      success: evictions.with(server, 'success', zones, ''),
      denial: evictions.with(server, 'denial', zones, ''),
    },
    entries: {
      success: entries.with(server, 'success', zones, ''),
      denial: entries.with(server, 'denial', zones, ''),
    },
  };
}
