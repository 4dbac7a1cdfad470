/** SRV answers of a service, with the addresses their targets have (dns-server 3.4, rows SRV; RFC 2782). */
import type { ResourceRecord } from '../../../dns/message.ts';
import type { Name } from '../../../dns/name.ts';
import { srvRecord } from '../../../dns/rdata/srv.ts';
import { endpointHost } from './endpoint-host.ts';
import type { Backend, ServiceMatch } from './match-service.ts';
import { type Outcome, recordsOrNodata } from './outcome.ts';
import type { Scope } from './scope.ts';
import { type NamedAddress, namedAddressRecords, serviceName } from './service-name.ts';

type Backends = Extract<ServiceMatch, { kind: 'backends' }>;

/** One record per target and port number; targets too long to be names are left out. */
export function serviceRecords(scope: Scope, owner: Name, { service, backends }: Backends): Outcome {
  const { ttlSeconds, endpointPodNames } = scope.options;
  const weight = serviceWeight(backends);
  const answers = new Map<string, ResourceRecord>();
  const targets: NamedAddress[] = [];
  let bytes = 0;
  for (const { address, endpoint, cluster, ports } of backends) {
    const label = endpoint && endpointHost(endpoint, address, endpointPodNames);
    const host = label !== undefined && cluster !== undefined ? `${label}.${cluster}` : label;
    const target = serviceName(service, scope.zone, host);
    if (target === undefined || ports.length === 0) continue;
    if (bytes > scope.answerBytes) break;
    targets.push({ name: target, address });
    for (const port of ports) {
      const key = `${port} ${target}`;
      if (answers.has(key)) continue;
      // The target is never compressed (RFC 2782); 18 bytes are the least of the rest.
      bytes += 18 + target.length;
      answers.set(key, srvRecord(owner, ttlSeconds, { priority: 0, weight, port, target }));
    }
  }
  return recordsOrNodata([...answers.values()], namedAddressRecords(targets, ttlSeconds));
}

/** Equal shares of 100 among all (address, port) pairs, those without a declared port counted once; at least 1. */
export function serviceWeight(backends: readonly Backend[]): number {
  const entries = backends.reduce((sum, { ports }) => sum + Math.max(1, ports.length), 0);
  return Math.max(1, Math.floor(100 / entries));
}
