/**
 * Services by what policies ask of them: which frontends a service has, and whose address that is (R7). Follows single
 * changes; endpoints play no part, because a redirected frontend takes its backends from pods alone.
 */
import { type ObjectKey, objectKey, type ServiceRow } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import type { Port, Protocol } from '../../net/port.ts';
import { sortByAge, sortTuples, tupleKey } from '../order.ts';
import { formatPort } from '../policy-ports.ts';
import type { Frontend } from '../table.ts';

/** Cluster, external and load balancer addresses: traffic to them is the service's own, whatever the port. */
export function addressesOf(service: ServiceRow): readonly Ip[] {
  return [...service.clusterIPs, ...service.externalIPs, ...(service.ingressIPs ?? [])];
}

/** The ClusterIP frontends of one service without backends, each tuple once. */
export function bareFrontends(service: ServiceRow): readonly Frontend[] {
  if (service.headless || service.type === 'ExternalName') return [];
  const found = new Map<string, Frontend>();
  for (const address of service.clusterIPs) {
    for (const { port, protocol, name } of service.ports) {
      const frontend: Frontend = {
        ...{ address, port, protocol, type: 'ClusterIP', service: objectKey(service), backends: [] },
        ...(name ? { portName: name } : {}),
      };
      if (!found.has(tupleKey(frontend))) found.set(tupleKey(frontend), frontend);
    }
  }
  return [...found.values()];
}

export class ServiceIndex {
  /** In no order: thousands of services may share the address of a load balancer, and hardly any is ever asked for. */
  readonly #byAddress = new Map<Ip, ServiceRow[]>();
  /** `30053/UDP`. */
  readonly #byNodePort = new Map<string, ServiceRow[]>();
  readonly #rows = new Map<ObjectKey, ServiceRow>();

  get(key: ObjectKey): ServiceRow | undefined {
    return this.#rows.get(key);
  }

  /** Undefined removes. */
  set(key: ObjectKey, now: ServiceRow | undefined): void {
    const before = this.#rows.get(key);
    if (before !== undefined) {
      for (const address of new Set(addressesOf(before))) take(this.#byAddress, address, before);
      for (const port of nodePortsOf(before)) take(this.#byNodePort, port, before);
    }
    if (now === undefined) {
      this.#rows.delete(key);
      return;
    }
    this.#rows.set(key, now);
    for (const address of new Set(addressesOf(now))) put(this.#byAddress, address, now);
    for (const port of nodePortsOf(now)) put(this.#byNodePort, port, now);
  }

  /** All that have the address, oldest first. */
  withAddress(address: Ip): readonly ServiceRow[] {
    return sortByAge(this.sharing(address));
  }

  /** The same in no order. */
  sharing(address: Ip): readonly ServiceRow[] {
    return this.#byAddress.get(address) ?? [];
  }

  /** The oldest that has this port on every node. */
  withNodePort(port: Port, protocol: Protocol): ServiceRow | undefined {
    return sortByAge(this.#byNodePort.get(formatPort({ port, protocol })) ?? [])[0];
  }

  /** Two services with one address cannot come from a sane API server; the older keeps the frontend. */
  frontendsOf(key: ObjectKey): readonly Frontend[] {
    const service = this.#rows.get(key);
    if (service === undefined) return [];
    return sortTuples(bareFrontends(service).filter((frontend) => this.#holder(frontend) === service));
  }

  #holder(frontend: Frontend): ServiceRow | undefined {
    const services = this.sharing(frontend.address);
    if (services.length === 1) return services[0];
    const tuple = tupleKey(frontend);
    return sortByAge(services).find((service) =>
      bareFrontends(service).some((own) => tupleKey(own) === tuple),
    );
  }
}

function nodePortsOf({ ports }: ServiceRow): ReadonlySet<string> {
  return new Set(
    ports.flatMap(({ nodePort, protocol }) =>
      nodePort === undefined ? [] : [formatPort({ port: nodePort, protocol })],
    ),
  );
}

function put<K>(index: Map<K, ServiceRow[]>, key: K, row: ServiceRow): void {
  const rows = index.get(key);
  if (rows === undefined) index.set(key, [row]);
  else rows.push(row);
}

function take<K>(index: Map<K, ServiceRow[]>, key: K, row: ServiceRow): void {
  const rows = index.get(key) ?? [];
  rows.splice(rows.indexOf(row), 1);
  if (rows.length === 0) index.delete(key);
}
