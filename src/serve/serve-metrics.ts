/**
 * Metrics that belong to the server as a whole. Families without labels exist from the start, also those of plugins that
 * the Corefile does not use (dns-server 8): an alert on a counter that is absent never fires.
 */
import { rcodeName } from '../dns/codes.ts';
import { ipFamily } from '../net/ip.ts';
import { COMPATIBLE_VERSION } from '../plugins/compatible-version.ts';
import { dnsFamilies, typeLabel } from '../plugins/prometheus/families.ts';
import type { Rejection, ServeObserver } from '../server/observer.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { programVersion } from './banner.ts';
import type { Generation } from './generation.ts';

const COUNTERS_FROM_START: Readonly<Record<string, string>> = {
  coredns_panics_total: 'Errors of this program that were caught while it answered a query.',
  coredns_forward_healthcheck_broken_total: 'Times that all upstreams were thought to be down.',
  coredns_forward_max_concurrent_rejects_total: 'Queries refused because too many were under way.',
  coredns_health_request_failures_total: 'Health checks of itself that failed.',
  coredns_reload_failed_total: 'Changes of configuration that failed.',
  coredns_local_localhost_requests_total: 'Queries for names below localhost, or beginning with it.',
};

/** Zone label of queries that no chain saw. */
const DROPPED = 'dropped';

export class ServeMetrics {
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    metrics.gauge({
      name: 'coredns_hosts_reload_timestamp_seconds',
      help: 'When a hosts file was read last, in seconds since 1970.',
      labels: [],
    });
    for (const [name, help] of Object.entries(COUNTERS_FROM_START))
      metrics.counter({ name, help, labels: [] });
  }

  observer(server: string): ServeObserver {
    const families = dnsFamilies(this.#metrics);
    const panics = this.#counter('coredns_panics_total');
    const shed = this.#metrics
      .counter({
        name: 'coredns_shed_requests_total',
        help: 'Queries dropped because too many were waiting for an answer.',
        labels: ['server'],
      })
      .with(server);
    return {
      onPanic: () => panics.inc(),
      onShed: () => shed.inc(),
      onRejected: (rejection) => {
        const { transport, requestBytes, replyBytes, rcode, receivedAtMs } = rejection;
        families.requests.with(server, DROPPED, '', transport, ...familyAndType(rejection)).inc();
        families.requestSize.with(server, DROPPED, '', transport).observe(requestBytes);
        families.responseSize.with(server, DROPPED, '', transport).observe(replyBytes);
        families.responses.with(server, DROPPED, '', rcodeName(rcode), '').inc();
        families.duration.with(server, DROPPED, '').observe((performance.now() - receivedAtMs) / 1000);
      },
    };
  }

  reloadFailed(): void {
    this.#counter('coredns_reload_failed_total').inc();
  }

  reloaded(hash: string): void {
    const family = this.#metrics.gauge({
      name: 'coredns_reload_version_info',
      help: 'Fingerprint of the configuration in force.',
      labels: ['hash', 'value'],
    });
    family.reset();
    family.with('sha512', hash).set(1);
  }

  /** What the blocks with `prometheus` say about themselves. */
  describe(generation: Generation): void {
    const enabled = this.#metrics.gauge({
      name: 'coredns_plugin_enabled',
      help: 'Plugins in the chain, by server and zone.',
      labels: ['server', 'zone', 'view', 'name'],
    });
    enabled.reset();
    const counted = generation.records.filter(({ word }) => word === 'prometheus').map(({ block }) => block);
    if (counted.length === 0) return;
    for (const { server, members } of generation.listeners) {
      for (const { block, zones } of members.filter((member) => counted.includes(member.block))) {
        for (const word of generation.chainWords(block)) {
          for (const zone of zones) enabled.with(server, zone, generation.viewName(block), word).set(1);
        }
      }
    }
    this.#metrics
      .gauge({
        name: 'coredns_build_info',
        help: 'The release whose behaviour is followed, and what follows it.',
        labels: ['version', 'revision', 'goversion'],
      })
      .with(COMPATIBLE_VERSION, `zerohop-${programVersion()}`, `node${process.versions.node}`)
      .set(1);
  }

  #counter(name: keyof typeof COUNTERS_FROM_START) {
    return this.#metrics.counter({ name, help: COUNTERS_FROM_START[name] ?? '', labels: [] }).with();
  }
}

function familyAndType({ client, request }: Rejection): [string, string] {
  return [ipFamily(client.address) === 4 ? '1' : '2', typeLabel(request.questions[0]?.type ?? 0)];
}
