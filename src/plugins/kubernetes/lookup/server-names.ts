/**
 * This DNS server's own names: found by looking for the machine's addresses among the endpoints, because nobody tells
 * the server which Service it stands behind (dns-server 3.4, rows NS and `ns.dns`). Without such an endpoint, as on a
 * host outside the cluster, the name is `ns.dns.ZONE` with the machine's own addresses.
 */
import type { EndpointSliceRow, ServiceRow } from '../../../cluster/rows.ts';
import { joinName } from '../../../dns/name.ts';
import type { Ip } from '../../../net/ip.ts';
import { endpointHost } from './endpoint-host.ts';
import type { Scope } from './scope.ts';
import { type NamedAddress, serviceName } from './service-name.ts';

/** Name servers of the zone with their addresses; a name stands once per address. */
export function serverNames(scope: Scope): NamedAddress[] {
  const slices = new Set(scope.localAddresses.flatMap((address) => scope.view.slicesAt(address)));
  const named = [...slices].flatMap((slice) => sliceServers(scope, slice));
  if (named.length > 0) return named;
  const name = joinName(['ns', 'dns'], scope.zone);
  return name === undefined ? [] : scope.localAddresses.map((address) => ({ name, address }));
}

export function serverAddresses(scope: Scope): Ip[] {
  return serverNames(scope).map(({ address }) => address);
}

function sliceServers(scope: Scope, slice: EndpointSliceRow): NamedAddress[] {
  const service = scope.view.service(slice.namespace, slice.serviceName);
  if (service === undefined) return [];
  if (service.headless) return endpointServers(scope, service, slice);
  const name = serviceName(service, scope.zone);
  return name === undefined ? [] : service.clusterIPs.map((address) => ({ name, address }));
}

function endpointServers(scope: Scope, service: ServiceRow, slice: EndpointSliceRow): NamedAddress[] {
  const { endpointPodNames } = scope.options;
  return slice.endpoints
    .filter((endpoint) => endpoint.ready)
    .flatMap((endpoint) =>
      endpoint.addresses.flatMap((address) => {
        const name = serviceName(service, scope.zone, endpointHost(endpoint, address, endpointPodNames));
        return name === undefined ? [] : [{ name, address }];
      }),
    );
}
