/**
 * The resolver of an AWS network takes 1,024 packets a second from one network interface and drops the rest without a word
 * (AWS, "Amazon DNS quotas"): names fail at random on the node that asks most.
 */
import type { Ip } from '../../../net/ip.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { cachesOnNode } from '../../picture/caches-on-node.ts';
import { directivesOf } from '../../picture/corefiles.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeFacts } from '../../site/node-facts.ts';
import type { Site } from '../../site/site.ts';
import { type SummarisedNode, summarised } from './flow-checks.ts';

export const d23: Check = {
  id: 'D23',
  title: "Queries come near to what the network's resolver takes from one interface",
  pains: ['P26'],
  needs: { agent: ['flows'] },
  run: (site) => summarised(site).flatMap((node) => findings(site, node)),
};

/** Packets a second and interface. */
const LIMIT = 1024;
const NEAR = 0.7;
/** The same in every network of AWS, whatever its addresses. */
const RESOLVERS: readonly string[] = ['169.254.169.253', 'fd00:ec2::253'];

function findings(site: Site, summary: SummarisedNode): readonly Finding[] {
  const limited = resolversOf(summary.node.facts);
  return summary.flows.upstreamPeaks
    .filter(({ address, perSecond }) => limited.has(address) && perSecond >= LIMIT * NEAR)
    .map((peak) => finding(site, summary, peak));
}

/** On a node whose resolv.conf says that it is on AWS, its private resolvers are the network's too (the second address of it). */
function resolversOf({ resolvConf }: NodeFacts): ReadonlySet<string> {
  const { nameservers = [], search = [] } = knownOr(resolvConf, undefined) ?? {};
  const onAws = search.some((domain) => /(^|\.)(ec2|compute)\.internal\.?$/.test(domain));
  return new Set([...RESOLVERS, ...(onAws ? nameservers.filter((address) => address.endsWith('.2')) : [])]);
}

function finding(
  site: Site,
  { name, node, flows }: SummarisedNode,
  { address, perSecond }: { readonly address: Ip; readonly perSecond: number },
): Finding {
  const over = perSecond >= LIMIT;
  const caches = cachesOnNode(site, node);
  return {
    id: 'D23',
    severity: over ? 'broken' : 'warning',
    title: d23.title,
    node: name,
    evidence: [
      `${perSecond} queries in the busiest second went to ${address}, whose limit is ${LIMIT} packets a second from each interface`,
      ...flows.topPods.slice(0, 3).map(({ pod, queries }) => `${pod} asked ${queries} times`),
      caches.length === 0 ? `${name} has no cache of its own` : `${name} has ${caches[0]?.name ?? 'a cache'}`,
    ],
    cause: over
      ? 'what is beyond the limit is dropped without an answer, and every client waits for its timeout'
      : 'a little more, and packets beyond the limit are dropped without an answer',
    fix: fixOf(site, caches.length === 0),
  };
}

function fixOf(site: Site, uncached: boolean): Fix {
  if (uncached)
    return { kind: 'command', text: 'kubectl apply -k deploy/kustomize/overlays/cache-and-agent' };
  const { caches } = dnsPicture(site);
  const without = caches
    .flatMap(({ corefiles }) => corefiles)
    .filter((fact) => directivesOf([fact], 'cache').length === 0);
  const place = without[0]?.object ?? 'ConfigMap kube-system/node-local-dns';
  return {
    kind: 'text',
    text: [
      `In the block "." of ${place}: keep answers longer and answer again from the cache while they are fetched`,
      'cache 3600 {',
      '    success 9984 3600 30',
      '    prefetch 5 1m 10%',
      '    serve_stale 1h',
      '}',
      'and spread the nodes that ask most over more interfaces',
    ].join('\n'),
  };
}
