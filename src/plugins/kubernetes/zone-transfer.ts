/**
 * A whole zone, for `transfer`: every name that is not taken at the asker's word, so no pods, and no aliases' targets.
 * Records come in batches that are made while the asker takes them, all of one moment. SOA first and last (RFC 5936
 * section 2.2). A zone that is not known yet is not handed out: a secondary would believe that it is empty.
 */

import type { EndpointSliceRow, ServiceRow } from '../../cluster/rows.ts';
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, isSubdomain, joinName, type Name, parseName } from '../../dns/name.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { cnameRecord } from '../../dns/rdata/target.ts';
import type { Ip } from '../../net/ip.ts';
import { endpointHost } from './lookup/endpoint-host.ts';
import { readName } from './lookup/find-name.ts';
import { lookup } from './lookup/lookup.ts';
import type { Outcome } from './lookup/outcome.ts';
import { isReverseName, reverseName } from './lookup/reverse-name.ts';
import { namespaceShown, type Scope } from './lookup/scope.ts';
import { serviceName } from './lookup/service-name.ts';
import { schemaVersion } from './lookup/zone-records.ts';

/** Records in a message: the longest there are, with names of 255 bytes in owner and data, still fit in 64 KiB. */
const BATCH = 100;

/** Undefined when the zone is not to be had. `scope.zone` is the zone in lower case. */
export function transferZone(
  scope: Scope,
  sinceSerial: number | undefined,
): Iterable<readonly ResourceRecord[]> | undefined {
  if (!scope.view.synced()) return undefined;
  const soa = scope.soa(scope.zone);
  if (sinceSerial === scope.view.serial()) return [[soa]];
  return inBatches(soa, isReverseName(scope.zone) ? reverseRecords(scope) : forwardRecords(scope));
}

function* inBatches(soa: ResourceRecord, records: Iterable<ResourceRecord>): Iterable<ResourceRecord[]> {
  let batch = [soa];
  for (const record of records) {
    batch.push(record);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  yield [...batch, soa];
}

/** The view as it is now, for as long as the asker takes: a zone must not mix two states. */
function frozen(scope: Scope): Scope {
  const { view } = scope;
  const all = [...view.services()];
  const services = new Map(all.map((row) => [`${row.namespace}/${row.name}`, row]));
  const slices = Map.groupBy(view.slices(), (row) => `${row.namespace}/${row.serviceName}`);
  const namespaces = new Set(all.map(({ namespace }) => namespace).filter(view.namespaceExists));
  return {
    ...scope,
    view: {
      ...view,
      services: () => all,
      service: (namespace, name) => services.get(`${namespace}/${name}`),
      slicesOf: (namespace, service) => slices.get(`${namespace}/${service}`) ?? [],
      namespaceExists: (namespace) => namespaces.has(namespace),
    },
  };
}

function forwardRecords(live: Scope): Iterable<ResourceRecord> {
  const scope = frozen(live);
  const head = apexRecords(scope);
  return (function* () {
    yield* head;
    for (const service of scope.view.services()) {
      if (namespaceShown(scope, service.namespace)) yield* distinct(serviceZone(scope, service));
    }
  })();
}

function apexRecords(scope: Scope): readonly ResourceRecord[] {
  const { zone } = scope;
  const ask = (name: Name, type: number) => lookup(scope, readName(scope.options, zone, name), type);
  const version = joinName(['dns-version'], zone);
  const servers = answersOf(ask(zone, TYPE.NS));
  const own = joinName(['ns', 'dns'], zone);
  const addresses = own === undefined ? [] : [TYPE.A, TYPE.AAAA].flatMap((type) => answersOf(ask(own, type)));
  return [...servers, ...addresses, ...(version === undefined ? [] : [schemaVersion(version)])];
}

function answersOf(outcome: Outcome): readonly ResourceRecord[] {
  return outcome.kind === 'records' ? outcome.answers : [];
}

/** Everything at and below one service's name; a record may come twice. */
function* serviceZone(scope: Scope, service: ServiceRow): Iterable<ResourceRecord> {
  const { options, zone } = scope;
  const owner = serviceName(service, zone);
  if (owner === undefined) return;
  if (service.type === 'ExternalName') {
    const target = parseName(service.externalName ?? '');
    if (target !== undefined) yield cnameRecord(owner, options.ttlSeconds, target);
    return;
  }
  for (const name of [owner, ...portNames(scope, service, owner)]) {
    const asked = readName(options, zone, name);
    for (const type of [TYPE.A, TYPE.AAAA, TYPE.SRV]) yield* answersOf(lookup(scope, asked, type));
  }
  for (const slice of scope.view.slicesOf(service.namespace, service.name)) {
    yield* endpointRecords(scope, service, slice);
  }
}

function portNames({ view }: Scope, service: ServiceRow, owner: Name): readonly Name[] {
  const declared = [service, ...(service.headless ? view.slicesOf(service.namespace, service.name) : [])];
  const fronts = declared.flatMap(({ ports, sctpPorts = [] }) => [
    ...ports.map((port) => [port.name, port.protocol]),
    ...sctpPorts.map((port) => [port.name, 'SCTP']),
  ]);
  const names = fronts.flatMap(([name, protocol]) =>
    name === undefined ? [] : (joinName([`_${name}`, `_${protocol?.toLowerCase()}`], owner) ?? []),
  );
  return [...new Set(names.map(canonicalName))];
}

function* endpointRecords(
  scope: Scope,
  service: ServiceRow,
  slice: EndpointSliceRow,
): Iterable<ResourceRecord> {
  const { options, zone } = scope;
  for (const { name, address } of readyEndpoints(scope, slice)) {
    const host = slice.sourceCluster === undefined ? name : `${name}.${slice.sourceCluster}`;
    const owner = serviceName(service, zone, host);
    if (owner !== undefined) yield addressRecord(owner, options.ttlSeconds, address);
  }
}

function readyEndpoints({ options }: Scope, slice: EndpointSliceRow): { name: string; address: Ip }[] {
  return slice.endpoints
    .filter(({ ready }) => ready)
    .flatMap((endpoint) =>
      endpoint.addresses.map((address) => ({
        name: endpointHost(endpoint, address, options.endpointPodNames),
        address,
      })),
    );
}

function* distinct(records: Iterable<ResourceRecord>): Iterable<ResourceRecord> {
  const seen = new Set<string>();
  for (const record of records) {
    const key = `${record.type} ${canonicalName(record.name)} ${record.rdata.toHex()}`;
    if (seen.has(key)) continue;
    seen.add(key);
    yield record;
  }
}

/** The PTR records of all addresses whose names are in the zone. */
function reverseRecords(scope: Scope): Iterable<ResourceRecord> {
  const { view, options, zone } = scope;
  const services = byAddress(view.services(), (row) => row.clusterIPs);
  const slices = byAddress(view.slices(), (row) =>
    row.endpoints.flatMap(({ ready, addresses }) => (ready ? addresses : [])),
  );
  const still: Scope = {
    ...scope,
    view: {
      ...view,
      servicesAt: (address) => services.get(address) ?? [],
      slicesAt: (address) => slices.get(address) ?? [],
    },
  };
  const addresses = new Set([...services.keys(), ...slices.keys()]);
  return (function* () {
    for (const address of addresses) {
      const name = reverseName(address);
      if (isSubdomain(zone, name)) yield* answersOf(lookup(still, readName(options, zone, name), TYPE.PTR));
    }
  })();
}

function byAddress<Row>(
  rows: Iterable<Row>,
  addressesOf: (row: Row) => readonly Ip[],
): ReadonlyMap<Ip, readonly Row[]> {
  const found = new Map<Ip, Row[]>();
  for (const row of rows) {
    for (const address of new Set(addressesOf(row))) {
      const known = found.get(address);
      if (known === undefined) found.set(address, [row]);
      else known.push(row);
    }
  }
  return found;
}
