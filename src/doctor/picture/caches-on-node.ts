/** The caches that a node has, whoever's they are: pods that are known to be one, and processes that listen on the node itself. */
import { objectKey } from '../../cluster/rows.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { nodeCaches } from '../checks/node/node-cache-process.ts';
import type { PodFact } from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import type { NodeFacts, SocketFact } from '../site/node-facts.ts';
import type { NodeSite, Site } from '../site/site.ts';
import { type DnsServer, dnsPicture, isLinkLocal } from './dns-picture.ts';

export interface NodeCache {
  /** `kube-system/node-local-dns-abc`, `unbound (pid 7) at 169.254.20.10`. */
  readonly name: string;
  readonly server?: DnsServer;
  readonly pod?: PodFact;
  /** Addresses of its own that can be asked; of a pod, the pod's. */
  readonly addresses: readonly string[];
}

export function cachesOnNode(site: Site, node: NodeSite): readonly NodeCache[] {
  const pods = dnsPicture(site).caches.flatMap((server) =>
    server.pods
      .filter(({ nodeName, phase, deleting }) => nodeName === node.name && phase === 'Running' && !deleting)
      .map((pod): NodeCache => ({ name: objectKey(pod), server, pod, addresses: pod.podIPs })),
  );
  // A cache on the host's network is a pod and a process; once is enough.
  const hosted = pods.some(({ pod }) => pod?.hostNetwork === true);
  return hosted ? pods : [...pods, ...processCaches(node.facts)];
}

function processCaches(facts: NodeFacts): readonly NodeCache[] {
  const sockets = knownOr(facts.sockets, []).filter(serves);
  const byOwner = Map.groupBy(sockets, ({ pid, command, address }) => `${pid ?? address} ${command ?? ''}`);
  const told = nodeCaches(facts)
    .filter(({ setupInterface }) => setupInterface)
    .map(({ pid, label, localIps }): NodeCache & { readonly pid: number } => ({
      pid,
      name: label,
      addresses: localIps,
    }));
  const listening = [...byOwner.values()].flatMap((own): readonly NodeCache[] => {
    const [first] = own;
    if (first === undefined || told.some(({ pid }) => pid === first.pid)) return [];
    const addresses = [...new Set(own.map(({ address }) => address))];
    const who = first.pid === undefined ? 'a process' : `${first.command ?? 'a process'} (pid ${first.pid})`;
    return [{ name: `${who} at ${addresses.join(', ')}`, addresses }];
  });
  return [...told, ...listening];
}

/** For others than itself: stub resolvers of the node listen on loopback only. */
function serves({ port, address, protocol }: SocketFact): boolean {
  return port === 53 && protocol === 'UDP' && !isLoopback(address);
}

export function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(address);
}

/** Link-local addresses that somebody of the node listens on: what pods would be told to ask. */
export function linkLocalListeners(facts: NodeFacts): readonly Ip[] {
  return [
    ...new Set(
      knownOr(facts.sockets, [])
        .filter(serves)
        .flatMap(({ address }) => parseIp(address) ?? []),
    ),
  ].filter(isLinkLocal);
}
