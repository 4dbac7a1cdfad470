/** What was found, as records. Names of load balancers stay names: who asks decides how they are followed. */
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { joinName, type Name, parseName } from '../../dns/name.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { soaRecord } from '../../dns/rdata/soa.ts';
import { srvRecord } from '../../dns/rdata/srv.ts';
import { nsRecord } from '../../dns/rdata/target.ts';
import { type Ip, ipFamily } from '../../net/ip.ts';
import type { ClusterNames } from '../contract.ts';
import type { Target } from './find-service.ts';
import type { ExternalOptions } from './options.ts';

const TIMERS = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds: 86_400 } as const;

/** `zone` in the spelling of the query. */
export function zoneSoa({ apex, ttlSeconds }: ExternalOptions, zone: Name, serial: number): ResourceRecord {
  return soaRecord(zone, ttlSeconds, {
    mname: joinName(['ns1', apex], zone) ?? zone,
    rname: joinName(['hostmaster', apex], zone) ?? zone,
    serial,
    ...TIMERS,
    minimumSeconds: ttlSeconds,
  });
}

export function zoneNs({ apex, ttlSeconds }: ExternalOptions, zone: Name): ResourceRecord {
  return nsRecord(zone, ttlSeconds, joinName(['ns1', apex], zone) ?? zone);
}

/** A for 4, AAAA for 6, each address once. */
export function addressRecords(
  owner: Name,
  { ttlSeconds }: ExternalOptions,
  { addresses, type }: { addresses: readonly Ip[]; type: number },
): ResourceRecord[] {
  const family = type === TYPE.A ? 4 : 6;
  const wanted = addresses.filter((address) => ipFamily(address) === family);
  return [...new Set(wanted)].map((address) => addressRecord(owner, ttlSeconds, address));
}

/** Load balancers' host names that are names at all. */
export function hostNames(targets: readonly Target[]): readonly Name[] {
  const names = targets.flatMap(({ hostname }) =>
    hostname === undefined ? [] : (parseName(hostname) ?? []),
  );
  return [...new Set(names)];
}

export interface ServiceRecords {
  readonly answers: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** SRV, one per target and port number; `service` is the service's own name in the zone. */
export function serviceRecords(
  owner: Name,
  { ttlSeconds }: ExternalOptions,
  { service, targets }: { service: Name; targets: readonly Target[] },
): ServiceRecords {
  const entries = targets.reduce((sum, { ports }) => sum + Math.max(1, ports.length), 0);
  const weight = Math.max(1, Math.floor(100 / entries));
  const answers = new Map<string, ResourceRecord>();
  const additionals = new Map<string, ResourceRecord>();
  for (const { address, hostname, label, ports } of targets) {
    const own = label === undefined ? service : joinName([label], service);
    const target = hostname === undefined ? own : parseName(hostname);
    if (target === undefined || ports.length === 0) continue;
    for (const port of ports) {
      answers.set(`${port} ${target}`, srvRecord(owner, ttlSeconds, { priority: 0, weight, port, target }));
    }
    if (address !== undefined) {
      additionals.set(`${target} ${address}`, addressRecord(target, ttlSeconds, address));
    }
  }
  return { answers: [...answers.values()], additionals: [...additionals.values()] };
}

/** This server's addresses as the world outside sees them: of the services it stands behind, else its own. */
export function serverAddresses(cluster: ClusterNames, headless: boolean): readonly Ip[] {
  const slices = cluster.ownSlices();
  if (slices.length === 0) return cluster.localAddresses();
  const addresses = slices.flatMap((slice) => {
    const service = cluster.service(slice.namespace, slice.serviceName);
    if (service === undefined) return [];
    if (headless && service.headless) {
      return slice.endpoints.filter(({ ready }) => ready).flatMap((endpoint) => endpoint.addresses);
    }
    return [...service.externalIPs, ...(service.ingressIPs ?? [])];
  });
  return [...new Set(addresses)];
}
