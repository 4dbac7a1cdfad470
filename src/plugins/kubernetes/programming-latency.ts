/**
 * How long it took from a change of a headless service's endpoints to our answers (dns-server 3.4, metrics): the time
 * that the endpoint controller writes on each slice, up to now. Other services' addresses do not depend on slices.
 */
import type { Clock } from '../../telemetry/clock.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { ClusterChange, ClusterView } from './view/service-index.ts';

/** 1 ms to nine minutes, doubling. */
const BUCKETS = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);

/** Called with every change that was followed once everything had been listed: a first list tells old news. */
export function createLatencyRecorder(
  metrics: Metrics,
  clock: Clock,
): (view: ClusterView, change: ClusterChange) => void {
  const headless = metrics
    .histogram({
      name: 'coredns_kubernetes_dns_programming_duration_seconds',
      help: 'Seconds from a change of endpoints to the answers that show it.',
      labels: ['service_kind'],
      buckets: BUCKETS,
    })
    .with('headless_with_selector');
  return (view, { slices }) => {
    for (const { after } of slices) {
      if (after?.triggeredAtMs === undefined) continue;
      if (view.service(after.namespace, after.serviceName)?.headless !== true) continue;
      headless.observe(Math.max(0, clock.nowMs() - after.triggeredAtMs) / 1000);
    }
  };
}
