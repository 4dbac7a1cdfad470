/** IPVS takes packets to an address that it has before any socket of the node is looked for: a cache bound to it gets none. */
import type { Check, Finding } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { holdersOf } from '../../picture/service-interfaces.ts';
import { isKnown } from '../../site/known.ts';
import type { NodeSite, Site } from '../../site/site.ts';
import { nodeCaches } from './node-cache-process.ts';

const IPVS_INTERFACE = 'kube-ipvs0';

export const d03: Check = {
  id: 'D03',
  title: 'A node cache listens on a cluster IP that IPVS serves',
  pains: ['P4'],
  needs: { node: ['interfaces', 'proxy'] },
  run: (site) => site.nodes.flatMap((node) => findings(node, site)),
};

function findings({ name, facts }: NodeSite, site: Site): readonly Finding[] {
  const { interfaces, proxy } = facts;
  if (!isKnown(interfaces) || !isKnown(proxy) || proxy.value.mode !== 'ipvs') return [];
  const services = new Set<string>(dnsPicture(site).services.flatMap(({ clusterIPs }) => clusterIPs));
  const told = new Set<string>(nodeCaches(facts).flatMap(({ localIps }) => localIps));
  const served = proxy.value.ipvsAddresses.filter((ip) => services.size === 0 || services.has(ip));
  return served.flatMap((address) => {
    const holders = holdersOf(interfaces, address);
    if (holders.length === 0 && !told.has(address)) return [];
    const evidence = [
      `kube-proxy is in mode ipvs (${proxy.value.evidence})`,
      `${address} is an address of ${IPVS_INTERFACE}`,
      ...holders.map(({ name: ifname }) => `${address} is an address of ${ifname}, too`),
      ...(told.has(address) ? [`a node cache was started with ${address} in -localip`] : []),
    ];
    return [finding(name, address, evidence)];
  });
}

function finding(node: string, address: string, evidence: readonly string[]): Finding {
  return {
    id: 'D03',
    severity: 'bypassed',
    title: d03.title,
    node,
    evidence,
    cause: `IPVS sends queries for ${address} to the cluster's DNS before the node looks for a socket that has the address`,
    fix: {
      kind: 'text',
      text: `Start the node cache with a link-local address alone (-localip 169.254.20.10) and tell kubelet of it (--cluster-dns=169.254.20.10, then new pods); or leave pods as they are and let zerohop's agent redirect ${address}`,
    },
  };
}
