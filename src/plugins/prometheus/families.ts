/** The `coredns_dns_*` metrics: names, labels and buckets of dns-server section 8. */
import { typeName } from '../../dns/codes.ts';
import type { Counter, Family, Histogram, Metrics } from '../../telemetry/metrics.ts';
import { COUNTED_TYPES, DURATION_BOUNDS, SIZE_BOUNDS } from '../../wirecache/counter-layout.ts';

/** The same as packet threads count by: what they and the chain answer adds up. */
const SHOWN_TYPES: ReadonlySet<number> = new Set(COUNTED_TYPES.filter((type) => type !== 0));

/** The types that dashboards know by name; whoever asks for odd ones must not make new time series. */
export function typeLabel(type: number): string {
  return SHOWN_TYPES.has(type) ? typeName(type) : 'other';
}

export interface DnsFamilies {
  readonly requests: Family<Counter>;
  readonly doRequests: Family<Counter>;
  readonly duration: Family<Histogram>;
  readonly requestSize: Family<Histogram>;
  readonly responseSize: Family<Histogram>;
  readonly responses: Family<Counter>;
}

export function dnsFamilies(metrics: Metrics): DnsFamilies {
  const base = ['server', 'zone', 'view'];
  return {
    requests: metrics.counter({
      name: 'coredns_dns_requests_total',
      help: 'DNS requests per server, zone, transport, address family and type.',
      labels: [...base, 'proto', 'family', 'type'],
    }),
    doRequests: metrics.counter({
      name: 'coredns_dns_do_requests_total',
      help: 'DNS requests with the DO bit set.',
      labels: base,
    }),
    duration: metrics.histogram({
      name: 'coredns_dns_request_duration_seconds',
      help: 'Time each request took.',
      labels: base,
      buckets: DURATION_BOUNDS,
    }),
    requestSize: metrics.histogram({
      name: 'coredns_dns_request_size_bytes',
      help: 'Size of requests as they arrived.',
      labels: [...base, 'proto'],
      buckets: SIZE_BOUNDS,
    }),
    responseSize: metrics.histogram({
      name: 'coredns_dns_response_size_bytes',
      help: 'Size of responses without compression.',
      labels: [...base, 'proto'],
      buckets: SIZE_BOUNDS,
    }),
    responses: metrics.counter({
      name: 'coredns_dns_responses_total',
      help: 'DNS responses per response code.',
      labels: [...base, 'rcode', 'plugin'],
    }),
  };
}
