/**
 * Which differences between two versions of a row change an answer. Only those move the SOA serial: an annotation that
 * a controller touches every few seconds must not make secondaries and caches think the zone changed (dns-server 3.4).
 */
import type { EndpointSliceRow, PodRow, ServiceRow } from '../../../cluster/rows.ts';
import type { RowChange } from './row-index.ts';

/** Two rows with equal facts give equal answers. */
export function serviceFacts(row: ServiceRow): string {
  const ports = row.ports.map((port) => [port.name, port.port, port.protocol]);
  const inside = [row.type, row.clusterIPs, row.headless, row.externalName, ports, row.sctpPorts];
  return JSON.stringify([inside, row.externalIPs, row.ingressIPs, row.ingressNames]);
}

export function sliceFacts(row: EndpointSliceRow): string {
  const ready = row.endpoints.filter((endpoint) => endpoint.ready);
  const endpoints = ready.map((endpoint) => [
    endpoint.addresses,
    endpoint.hostname,
    endpoint.targetPod?.name,
    endpoint.zone,
  ]);
  const ports = row.ports.map((port) => [port.name, port.port, port.protocol]);
  return JSON.stringify([row.serviceName, endpoints, ports, row.sctpPorts, row.sourceCluster]);
}

export function podFacts(row: PodRow): string {
  return JSON.stringify(row.podIPs);
}

/** The changes that change an answer; rows that came or went always do. */
export function relevantChanges<Row>(
  changes: readonly RowChange<Row>[],
  facts: (row: Row) => string,
): readonly RowChange<Row>[] {
  return changes.filter(
    ({ before, after }) => before === undefined || after === undefined || facts(before) !== facts(after),
  );
}
