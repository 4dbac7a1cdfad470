/** Where queries of pods really go: the cache that they are redirected to, and the cluster's DNS when there is none. */
import { objectKey } from '../../../cluster/rows.ts';
import { type DnsPicture, type DnsServer, nodeCacheSwitches } from '../../picture/dns-picture.ts';
import { policiesFor } from '../../picture/redirects.ts';
import type { ClusterFacts } from '../../site/cluster-facts.ts';
import type { Target } from './egress.ts';

export interface DnsTarget extends Target {
  /** `fallback`: asked only while the node has no cache that serves. */
  readonly way: 'redirected' | 'host' | 'fallback' | 'only';
  readonly server: DnsServer;
}

export function dnsTargets(cluster: ClusterFacts, picture: DnsPicture): readonly DnsTarget[] {
  const caches = picture.caches.flatMap((cache): readonly DnsTarget[] => {
    if (cache.spec.hostNetwork) return [hostTarget(cache)];
    const used = policiesFor(cache, cluster, picture).length > 0;
    return used ? [{ ...podTarget(cache, picture), way: 'redirected' }] : [];
  });
  const way = caches.length > 0 ? 'fallback' : 'only';
  const servers = picture.servers
    .filter(({ role, spec }) => role === 'cluster' && !spec.hostNetwork)
    .map((server): DnsTarget => ({ ...podTarget(server, picture), way }));
  return [...caches, ...servers];
}

function podTarget(server: DnsServer, picture: DnsPicture): Omit<DnsTarget, 'way'> {
  const { namespace, spec, pods } = server;
  const portNames = spec.containers.flatMap(({ ports }) =>
    ports.flatMap(({ name, port }) => (port === 53 && name !== undefined ? [name] : [])),
  );
  return {
    what: server.name,
    server,
    pod: { namespace, labels: spec.labels, portNames },
    addresses: pods.flatMap(({ podIPs }) => podIPs),
    services: server.role === 'cluster' ? [...picture.services, ...picture.upstreams].map(objectKey) : [],
  };
}

/** Packets are still addressed to what the cache took over; no pod has that address. */
function hostTarget(cache: DnsServer): DnsTarget {
  const addresses = nodeCacheSwitches(cache)?.localIps.filter((text) => text !== '') ?? [];
  return {
    what: `${cache.name} at ${addresses.join(', ')}`,
    server: cache,
    addresses,
    services: [],
    way: 'host',
  };
}
