/**
 * Two that answer for DNS on one node: a second node cache, AKS LocalDNS, the DNS capture of a mesh, a DNS proxy of the CNI.
 * Whichever gets the packets first decides, and the other is kept alive and paid for in vain.
 */
import type { Ip } from '../../../net/ip.ts';
import type { Check, Finding } from '../../check.ts';
import { type DnsServer, dnsPicture, isLinkLocal } from '../../picture/dns-picture.ts';
import { knownOr } from '../../site/known.ts';
import { type NodeSite, objectName, type Site } from '../../site/site.ts';

export const d24: Check = {
  id: 'D24',
  title: 'More than one cache stands in the way of a query',
  pains: ['P1', 'P22'],
  needs: { cluster: ['workloads', 'pods'], node: ['sockets'] },
  run(site) {
    const { caches } = dnsPicture(site);
    return [
      ...severalCaches(caches),
      ...captures(site, caches),
      ...site.nodes.flatMap((node) => listeners(site, node)),
    ];
  },
};

/** Two that are never on one node (other node selectors) are not told apart from manifests; pods tell. */
function severalCaches(caches: readonly DnsServer[]): readonly Finding[] {
  const [first, ...rest] = caches;
  if (first === undefined || rest.length === 0) return [];
  const shared = sharedNodes(caches);
  if (caches.every(({ pods }) => pods.length > 0) && shared.length === 0) return [];
  return [
    {
      id: 'D24',
      severity: 'warning',
      title: d24.title,
      object: first.name,
      evidence: [
        ...caches.map(({ name, container }) => `${name} runs ${container.image || container.name}`),
        ...(shared.length === 0 ? [] : [`both are on ${shared.slice(0, 5).join(', ')}`]),
      ],
      cause: 'two node caches answer on the same nodes; one of them sees no queries, or both see a part',
      fix: {
        kind: 'text',
        text: `Keep one: remove ${rest.map(({ name }) => name).join(', ')}, or ${first.name}; for a change without a gap, first move the policy to the one that stays`,
      },
    },
  ];
}

function sharedNodes(caches: readonly DnsServer[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { pods } of caches) {
    for (const node of new Set(pods.map(({ nodeName }) => nodeName)))
      counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return [...counts].flatMap(([node, count]) => (count > 1 && node !== '' ? [node] : []));
}

const CAPTURES: readonly { readonly image: RegExp; readonly says: string }[] = [
  { image: /(^|\/)ztunnel(:|@|$)/, says: "answers its pods' DNS itself where the mesh has DNS capture on" },
  { image: /standalone-dns-proxy/, says: 'takes the queries of pods with rules for names' },
];

function captures({ cluster }: Site, caches: readonly DnsServer[]): readonly Finding[] {
  const [cache] = caches;
  if (cache === undefined) return [];
  return knownOr(cluster.workloads, []).flatMap((row) => {
    const capture = CAPTURES.find(({ image }) =>
      row.template.containers.some((own) => image.test(own.image)),
    );
    if (capture === undefined) return [];
    const name = objectName(row.kind, row);
    return [
      {
        id: 'D24' as const,
        severity: 'warning' as const,
        title: d24.title,
        object: name,
        evidence: [`${name} ${capture.says}`, `${cache.name} is a node cache`],
        cause:
          'what is captured within the pod or by the proxy never reaches the node cache as the query of that pod',
        fix: {
          kind: 'text' as const,
          text: 'Decide which of the two answers: turn DNS capture off for these pods, or do without the node cache on these nodes',
        },
      },
    ];
  });
}

/** AKS LocalDNS: a service of the node, at two addresses of its own. */
const LOCAL_DNS = ['169.254.10.10', '169.254.10.11'];

/** Not a resolver of the node's own, nor one for its virtual machines. */
function isAskedByPods(address: Ip, asked: ReadonlySet<string>): boolean {
  return isLinkLocal(address) || asked.has(address) || address === '0.0.0.0' || address === '::';
}

function listeners(site: Site, { name, facts }: NodeSite): readonly Finding[] {
  const asked = new Set<string>(dnsPicture(site).services.flatMap(({ clusterIPs }) => clusterIPs));
  const sockets = knownOr(facts.sockets, []).filter(({ port }) => port === 53);
  const outward = sockets.filter(({ address }) => isAskedByPods(address, asked));
  // Without rights nobody knows whose they are; one process may have them all.
  const holders = new Map(outward.map((socket) => [socket.pid, socket]));
  const linkLocal = outward.filter(({ address }) => isLinkLocal(address));
  const localDns = outward.find(({ address }) => LOCAL_DNS.includes(address));
  if (holders.size < 2 || linkLocal.length === 0) return [];
  return [
    {
      id: 'D24',
      severity: 'warning',
      title: d24.title,
      node: name,
      evidence: [...holders.values()].map(
        ({ address, command, pid }) =>
          `${address}:53 is bound by ${command ?? 'a process'}${pid === undefined ? '' : ` (${pid})`}`,
      ),
      cause:
        localDns === undefined
          ? 'more than one process of the node answers on port 53 for others'
          : `AKS LocalDNS answers at ${localDns.address}, which is what the pods' resolv.conf names; another cache beside it gets nothing from them`,
      fix: {
        kind: 'text',
        text: 'Keep the one that pods are to ask, and turn the other off on this node pool',
      },
    },
  ];
}
