/**
 * Which differences between two versions of a row change an answer. Only those move the SOA serial: an annotation that
 * a controller touches every few seconds must not make secondaries and caches think the zone changed (dns-server 3.4).
 */
import type { EndpointSliceRow, PodRow, ServiceRow } from '../../../cluster/rows.ts';
import type { RowChange } from './row-index.ts';

/** Two rows with equal facts give equal answers. */
export function serviceFacts(row: ServiceRow): string {
  const ports = row.ports.map((port) => [port.name, port.port, port.protocol]);
  return JSON.stringify([row.type, row.clusterIPs, row.headless, row.externalName, row.externalIPs, ports]);
}

export function sliceFacts(row: EndpointSliceRow): string {
  const ready = row.endpoints.filter((endpoint) => endpoint.ready);
  const endpoints = ready.map((endpoint) => [
    endpoint.addresses,
    endpoint.hostname,
    endpoint.targetPod?.name,
  ]);
  const ports = row.ports.map((port) => [port.name, port.port, port.protocol]);
  return JSON.stringify([row.serviceName, endpoints, ports]);
}

export function podFacts(row: PodRow): string {
  return JSON.stringify(row.podIPs);
}

/** Rows that came or went always count. */
export function changesAnswers<Row>(
  changes: readonly RowChange<Row>[],
  facts: (row: Row) => string,
): boolean {
  return changes.some(
    ({ before, after }) => before === undefined || after === undefined || facts(before) !== facts(after),
  );
}
