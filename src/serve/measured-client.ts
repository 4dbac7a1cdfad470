/**
 * The API client as the server uses it: within the limits of the Corefile, and counted under the names that CoreDNS's
 * dashboards ask for (dns-server 3.4). `verb` and `host` are the words of those metrics; a watch counts as a GET.
 */
import { createKubeClient, type KubeClient } from '../kube/client.ts';
import type { KubeConfig } from '../kube/config/config.ts';
import { type ClientLimits, limitClient } from '../kube/limited-client.ts';
import { observeClient } from '../kube/observed-client.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Seconds, the buckets of Prometheus itself. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface MeasuredClientSpec {
  readonly clock: Clock;
  readonly metrics: Metrics | undefined;
  readonly limits: ClientLimits | undefined;
}

/** Closing it closes the client inside. */
export function measuredClient(config: KubeConfig, spec: MeasuredClientSpec): KubeClient {
  const { clock, metrics, limits = {} } = spec;
  const client = createKubeClient(config);
  if (metrics === undefined) return limitClient(client, { limits, clock });
  const host = new URL(config.server).host;
  const requests = metrics.counter({
    name: 'coredns_kubernetes_rest_client_requests_total',
    help: 'Requests to the Kubernetes API by status, method and host.',
    labels: ['code', 'method', 'host'],
  });
  const durations = metrics.histogram({
    name: 'coredns_kubernetes_rest_client_request_duration_seconds',
    help: 'Seconds until the Kubernetes API had answered.',
    labels: ['verb', 'host'],
    buckets: BUCKETS,
  });
  const waits = metrics.histogram({
    name: 'coredns_kubernetes_rest_client_rate_limiter_duration_seconds',
    help: 'Seconds that requests to the Kubernetes API were held back.',
    labels: ['verb', 'host'],
    buckets: BUCKETS,
  });
  const observed = observeClient(client, {
    clock,
    report({ method, code, seconds }) {
      requests.with(code, method, host).inc();
      durations.with(method, host).observe(seconds);
    },
  });
  return limitClient(observed, {
    limits,
    clock,
    onWait: (verb, seconds) => waits.with(verb, host).observe(seconds),
  });
}
