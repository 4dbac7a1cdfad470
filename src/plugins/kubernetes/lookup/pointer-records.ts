/**
 * Who has this address: PTR answers for cluster addresses and ready endpoints (dns-server 3.4). The namespace filter
 * counts only when `namespaces` is set: with `namespace_labels` a reverse lookup still names hidden namespaces.
 */
import type { EndpointSliceRow } from '../../../cluster/rows.ts';
import type { Name } from '../../../dns/name.ts';
import { ptrRecord } from '../../../dns/rdata/target.ts';
import type { Ip } from '../../../net/ip.ts';
import { endpointHost } from './endpoint-host.ts';
import { NXDOMAIN, type Outcome, recordsOrNodata } from './outcome.ts';
import { namespaceShown, type Scope } from './scope.ts';
import { serviceName } from './service-name.ts';

/** A cluster address belongs to one service; an endpoint may serve several, and gets a name from each. */
export function pointerRecords(scope: Scope, owner: Name, address: Ip): Outcome {
  const { primaryZone, ttlSeconds } = scope.options;
  const service = scope.view.servicesAt(address).find((row) => namespaceVisible(scope, row.namespace));
  const targets = service === undefined ? endpointNames(scope, address) : [serviceName(service, primaryZone)];
  const distinct = new Set(targets.filter((target) => target !== undefined));
  if (distinct.size === 0) return NXDOMAIN;
  return recordsOrNodata([...distinct].map((target) => ptrRecord(owner, ttlSeconds, target)));
}

function endpointNames(scope: Scope, address: Ip): (Name | undefined)[] {
  return scope.view
    .slicesAt(address)
    .filter((slice) => namespaceVisible(scope, slice.namespace))
    .flatMap((slice) => sliceNames(scope, slice, address));
}

function sliceNames(scope: Scope, slice: EndpointSliceRow, address: Ip): (Name | undefined)[] {
  const { primaryZone, endpointPodNames } = scope.options;
  const service = { namespace: slice.namespace, name: slice.serviceName };
  return slice.endpoints
    .filter((endpoint) => endpoint.ready && endpoint.addresses.includes(address))
    .map((endpoint) => serviceName(service, primaryZone, endpointHost(endpoint, address, endpointPodNames)));
}

function namespaceVisible(scope: Scope, namespace: string): boolean {
  return scope.options.namespaces === undefined || namespaceShown(scope, namespace);
}
