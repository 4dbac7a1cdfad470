/** What `acl` counts (dns-server 3.18). */
import type { Counter, Family, Metrics } from '../../telemetry/metrics.ts';
import type { Action } from './rules.ts';

export interface AclCounters {
  /** Labels: server, view. */
  readonly allowed: Family<Counter>;
  /** Labels: server, zone, view. */
  readonly refused: Readonly<Record<Exclude<Action, 'allow'>, Family<Counter>>>;
}

export function aclCounters(metrics: Metrics): AclCounters {
  const labels = ['server', 'zone', 'view'];
  return {
    allowed: metrics.counter({
      name: 'coredns_acl_allowed_requests_total',
      help: 'Queries that no rule kept from being answered.',
      labels: ['server', 'view'],
    }),
    refused: {
      block: metrics.counter({
        name: 'coredns_acl_blocked_requests_total',
        help: 'Queries answered REFUSED.',
        labels,
      }),
      filter: metrics.counter({
        name: 'coredns_acl_filtered_requests_total',
        help: 'Queries given an empty answer.',
        labels,
      }),
      drop: metrics.counter({
        name: 'coredns_acl_dropped_requests_total',
        help: 'Queries not answered.',
        labels,
      }),
    },
  };
}
