/** A whole outside zone for `transfer`: SOA first and last (RFC 5936 section 2.2), all of one moment. */

import type { ServiceRow } from '../../cluster/rows.ts';
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { joinName, type Name } from '../../dns/name.ts';
import { cnameRecord } from '../../dns/rdata/target.ts';
import type { ClusterNames } from '../contract.ts';
import { findService, type Target } from './find-service.ts';
import type { ExternalOptions } from './options.ts';
import { addressRecords, hostNames, serverAddresses, serviceRecords, zoneNs, zoneSoa } from './records.ts';

/** Records in a message, which even with the longest names stays below 64 KiB. */
const BATCH = 100;
const ADDRESS_TYPES = [TYPE.A, TYPE.AAAA];

/** Undefined while the cluster is not known: a secondary would believe that the zone is empty. */
export function transferZone(
  options: ExternalOptions,
  cluster: ClusterNames,
  { zone, sinceSerial }: { zone: Name; sinceSerial: number | undefined },
): Iterable<readonly ResourceRecord[]> | undefined {
  if (!cluster.synced()) return undefined;
  const soa = zoneSoa(options, zone, cluster.serial());
  if (sinceSerial === cluster.serial()) return [[soa]];
  const records = [soa, ...zoneRecords(options, cluster, zone), soa];
  return batches(records);
}

function* batches(records: readonly ResourceRecord[]): Iterable<readonly ResourceRecord[]> {
  for (let i = 0; i < records.length; i += BATCH) yield records.slice(i, i + BATCH);
}

function zoneRecords(options: ExternalOptions, cluster: ClusterNames, zone: Name): readonly ResourceRecord[] {
  const server = joinName(['ns1', options.apex], zone) ?? zone;
  const addresses = serverAddresses(cluster, options.headless);
  const records = [zoneNs(options, zone)];
  for (const type of ADDRESS_TYPES) records.push(...addressRecords(server, options, { addresses, type }));
  for (const service of cluster.services()) records.push(...serviceZone(options, cluster, { zone, service }));
  return records;
}

function serviceZone(
  options: ExternalOptions,
  cluster: ClusterNames,
  { zone, service }: { zone: Name; service: ServiceRow },
): readonly ResourceRecord[] {
  const { namespace, name } = service;
  const owner = joinName([name, namespace], zone);
  const found = findService(cluster, options.headless, [name, namespace]);
  if (owner === undefined || found.kind !== 'targets') return [];
  const { targets } = found;
  return [
    ...addressesOf(options, owner, targets),
    ...serviceRecords(owner, options, { service: owner, targets }).answers,
    ...service.ports.flatMap((port) => {
      const labels = [`_${port.name}`, `_${port.protocol.toLowerCase()}`];
      const front = port.name === undefined ? undefined : joinName(labels, owner);
      const ofPort = findService(cluster, options.headless, [...labels, name, namespace]);
      return front === undefined || ofPort.kind !== 'targets'
        ? []
        : serviceRecords(front, options, { service: owner, targets: ofPort.targets }).answers;
    }),
    ...targets.flatMap(({ label, address }) => {
      const host = label === undefined ? undefined : joinName([label], owner);
      return host === undefined || address === undefined
        ? []
        : ADDRESS_TYPES.flatMap((type) => addressRecords(host, options, { addresses: [address], type }));
    }),
  ];
}

function addressesOf(options: ExternalOptions, owner: Name, targets: readonly Target[]): ResourceRecord[] {
  const addresses = targets.flatMap(({ address }) => address ?? []);
  const [alias] = addresses.length > 0 ? [] : hostNames(targets);
  if (alias !== undefined) return [cnameRecord(owner, options.ttlSeconds, alias)];
  return ADDRESS_TYPES.flatMap((type) => addressRecords(owner, options, { addresses, type }));
}
