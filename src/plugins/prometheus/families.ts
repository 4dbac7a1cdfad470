/** The `coredns_dns_*` metrics: names, labels and buckets of dns-server section 8. */
import { TYPE, typeName } from '../../dns/codes.ts';
import type { Counter, Family, Histogram, Metrics } from '../../telemetry/metrics.ts';

/** 0.25 ms to 8 s, each twice the one before. */
const DURATION_BUCKETS = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);
const SIZE_BUCKETS = [0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000];

const SHOWN_TYPES: ReadonlySet<number> = new Set([
  TYPE.A,
  TYPE.AAAA,
  TYPE.CNAME,
  TYPE.DNSKEY,
  TYPE.DS,
  TYPE.MX,
  TYPE.NSEC3,
  TYPE.NSEC,
  TYPE.NS,
  TYPE.PTR,
  TYPE.RRSIG,
  TYPE.SOA,
  TYPE.SRV,
  TYPE.TXT,
  TYPE.HTTPS,
  TYPE.SVCB,
  TYPE.IXFR,
  TYPE.AXFR,
  TYPE.ANY,
]);

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
      buckets: DURATION_BUCKETS,
    }),
    requestSize: metrics.histogram({
      name: 'coredns_dns_request_size_bytes',
      help: 'Size of requests as they arrived.',
      labels: [...base, 'proto'],
      buckets: SIZE_BUCKETS,
    }),
    responseSize: metrics.histogram({
      name: 'coredns_dns_response_size_bytes',
      help: 'Size of responses without compression.',
      labels: [...base, 'proto'],
      buckets: SIZE_BUCKETS,
    }),
    responses: metrics.counter({
      name: 'coredns_dns_responses_total',
      help: 'DNS responses per response code.',
      labels: [...base, 'rcode', 'plugin'],
    }),
  };
}
