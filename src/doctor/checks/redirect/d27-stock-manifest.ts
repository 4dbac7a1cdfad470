/**
 * The second field report: upstream's nodelocaldns.yaml where Cilium serves services. It takes the cluster IP onto an interface
 * of the node, but there the address is translated before a packet gets to any interface.
 */
import type { Check, Finding } from '../../check.ts';
import {
  boundServiceIps,
  type DnsPicture,
  type DnsServer,
  dnsPicture,
  nodeCacheSwitches,
} from '../../picture/dns-picture.ts';
import { policiesFor, redirectPolicyYaml } from '../../picture/redirects.ts';
import type { ClusterFacts } from '../../site/cluster-facts.ts';

export const d27: Check = {
  id: 'D27',
  title: 'The stock nodelocaldns.yaml runs where kube-proxy is replaced',
  pains: ['P1', 'P3'],
  needs: { cluster: ['services', 'workloads', 'pods', 'configMaps', 'localRedirectPolicies'] },
  run(site) {
    const picture = dnsPicture(site);
    return picture.caches
      .filter((cache) => isStockUnderReplacement(cache, picture, site.cluster))
      .map((cache) => finding(cache, picture, site.cluster));
  },
};

/** A policy that names where a cache on the host listens is zerohop's, and makes such a cache right. */
export function isStockUnderReplacement(
  cache: DnsServer,
  picture: DnsPicture,
  cluster: ClusterFacts,
): boolean {
  if (picture.cilium.replacesProxy !== true || !cache.spec.hostNetwork) return false;
  if (nodeCacheSwitches(cache)?.setupInterface !== true) return false;
  if (boundServiceIps(cache, picture.services).length === 0) return false;
  return !policiesFor(cache, cluster, picture).some(({ backendAddresses }) => backendAddresses !== undefined);
}

function finding(cache: DnsServer, picture: DnsPicture, cluster: ClusterFacts): Finding {
  const bound = boundServiceIps(cache, picture.services).join(', ');
  const policies = policiesFor(cache, cluster, picture).map(({ key }) => key);
  const redirected =
    policies.length === 0
      ? []
      : [
          `policy ${policies.join(', ')} sends queries to the node's own address, where nobody listens on port 53`,
        ];
  return {
    id: 'D27',
    severity: 'broken',
    title: d27.title,
    object: cache.name,
    evidence: [
      ...picture.cilium.evidence,
      `${cache.name} is on the host's network and takes ${bound} onto an interface of the node (-localip, -setupinterface not false)`,
      ...redirected,
    ],
    cause:
      `Cilium translates ${bound} when a socket connects or a packet leaves its pod, so the interface and the NOTRACK rules of ` +
      'this cache never see one, and what is redirected meets an address it does not listen on: ' +
      `"communications error to ${bound}#53: connection refused"`,
    fix: {
      kind: 'text',
      text: [
        "Run the cache on the pods' network instead (hostNetwork: false, bind 0.0.0.0 and a plain health in its Corefile,",
        'as in examples/kubernetes-local-redirect/node-local-dns.yaml of Cilium), with these arguments added:',
        '  -skipteardown=true -setupinterface=false -setupiptables=false',
        'and this policy:',
        redirectPolicyYaml(cache, picture),
      ].join('\n'),
    },
  };
}
