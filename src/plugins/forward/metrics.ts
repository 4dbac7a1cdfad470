/** The metrics of `forward`, under the names dashboards know (dns-server 3.6 and 8). */
import { rcodeName } from '../../dns/codes.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Transport } from './go-error.ts';

const PROXY_NAME = 'forward';
/** 0.25 ms doubled up to 8.192 s. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

export interface ForwardMetrics {
  /** All upstreams were down and one was asked nevertheless, or nobody was. */
  allDown(): void;
  rejected(): void;
  answered(to: string, rcode: number, seconds: number): void;
  probeFailed(to: string): void;
  connection(to: string, transport: Transport, reused: boolean): void;
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
    answered: (to, rcode, seconds) => duration.with(PROXY_NAME, to, rcodeName(rcode)).observe(seconds),
    probeFailed: (to) => probes.with(PROXY_NAME, to).inc(),
    connection: (to, transport, reused) => (reused ? hits : misses).with(PROXY_NAME, to, transport).inc(),
  };
}
