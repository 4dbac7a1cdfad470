/** The metrics of `forward`, under the names dashboards know (dns-server 3.6 and 8). */
import { rcodeName } from '../../dns/codes.ts';
import type { Counter, Histogram, Metrics } from '../../telemetry/metrics.ts';
import type { Proto } from './exchange/go-error.ts';

const PROXY_NAME = 'forward';
/** 0.25 ms doubled up to 8.192 s. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

export interface ForwardMetrics {
  /** All upstreams were down and one was asked nevertheless, or nobody was. */
  allDown(): void;
  rejected(): void;
  /** `to` is `10.0.0.1:53`. */
  upstream(to: string): UpstreamMetrics;
}

/** Bound once, so that counting a query is a few additions. */
export interface UpstreamMetrics {
  answered(rcode: number, seconds: number): void;
  probeFailed(): void;
  connection(proto: Proto, reused: boolean): void;
}

export function forwardMetrics(metrics: Metrics): ForwardMetrics {
  const broken = metrics.counter({
    name: 'coredns_forward_healthcheck_broken_total',
    help: 'Queries that came while every upstream was down',
    labels: [],
  });
  const rejects = metrics.counter({
    name: 'coredns_forward_max_concurrent_rejects_total',
    help: 'Queries refused because max_concurrent were under way',
    labels: [],
  });
  const duration = metrics.histogram({
    name: 'coredns_proxy_request_duration_seconds',
    help: 'Time until an upstream answered',
    labels: ['proxy_name', 'to', 'rcode'],
    buckets: DURATION_BUCKETS,
  });
  const probes = metrics.counter({
    name: 'coredns_proxy_healthcheck_failures_total',
    help: 'Health probes that failed',
    labels: ['proxy_name', 'to'],
  });
  const connectionFamily = (outcome: string) =>
    metrics.counter({
      name: `coredns_proxy_conn_cache_${outcome}_total`,
      help: `Connection pool ${outcome}`,
      labels: ['proxy_name', 'to', 'proto'],
    });
  const [hits, misses] = [connectionFamily('hits'), connectionFamily('misses')];
  return {
    allDown: () => broken.with().inc(),
    rejected: () => rejects.with().inc(),
    upstream(to) {
      const durationOf = remembered<number, Histogram>((rcode) =>
        duration.with(PROXY_NAME, to, rcodeName(rcode)),
      );
      const hitsOf = remembered<Proto, Counter>((proto) => hits.with(PROXY_NAME, to, proto));
      const missesOf = remembered<Proto, Counter>((proto) => misses.with(PROXY_NAME, to, proto));
      return {
        answered: (rcode, seconds) => durationOf(rcode).observe(seconds),
        probeFailed: () => probes.with(PROXY_NAME, to).inc(),
        connection: (proto, reused) => (reused ? hitsOf : missesOf)(proto).inc(),
      };
    },
  };
}

function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}
