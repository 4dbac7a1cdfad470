/**
 * The first field report: a node cache that waits to be redirected to, and nothing that redirects. Everything is green and
 * every name resolves, by the cluster's DNS on another node.
 */
import type { Check, Finding } from '../../check.ts';
import {
  type DnsPicture,
  type DnsServer,
  dnsPicture,
  nodeCacheSwitches,
  serviceName,
} from '../../picture/dns-picture.ts';
import { policiesFor, redirectPolicyYaml } from '../../picture/redirects.ts';
import { knownOr } from '../../site/known.ts';
import type { Site } from '../../site/site.ts';

export const d26: Check = {
  id: 'D26',
  title: 'No policy sends queries to the node cache',
  pains: ['P1', 'P2'],
  needs: { cluster: ['services', 'workloads', 'pods', 'localRedirectPolicies'] },
  run(site) {
    const picture = dnsPicture(site);
    return picture.caches
      .filter(
        (cache) => waitsToBeRedirectedTo(cache) && policiesFor(cache, site.cluster, picture).length === 0,
      )
      .map((cache) => finding(site, picture, cache));
  },
};

/** With its own interface on the host it takes the packets itself; without, somebody has to send them. */
function waitsToBeRedirectedTo(cache: DnsServer): boolean {
  return !cache.spec.hostNetwork || nodeCacheSwitches(cache)?.setupInterface === false;
}

function finding(site: Site, picture: DnsPicture, cache: DnsServer): Finding {
  const service = serviceName(picture);
  const how = cache.spec.hostNetwork
    ? 'runs with -setupinterface=false, so no interface of the node has the address that pods ask'
    : "runs on the pods' network, so no interface of the node has the address that pods ask";
  const others = knownOr(site.cluster.localRedirectPolicies, []).length;
  const where = site.origin === 'live' ? 'the cluster' : 'these manifests';
  return {
    id: 'D26',
    severity: 'bypassed',
    title: d26.title,
    object: cache.name,
    evidence: [
      `${cache.name} ${how}`,
      `of the ${others} CiliumLocalRedirectPolicy objects in ${where} none selects its pods for service ${service}`,
      ...picture.cilium.evidence,
    ],
    cause: `nothing tells the node to give queries for ${service} to ${cache.name}; they go to the cluster's DNS as if it were not there`,
    fix: { kind: 'yaml', text: redirectPolicyYaml(cache, picture) },
  };
}
