/**
 * A node cache on a cluster IP gets its packets only because they are not tracked: untracked packets cannot be translated.
 * Without the rule, or with one that no packet meets, kube-proxy or whoever stands in for it takes them.
 */
import type { Ip } from '../../../net/ip.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { isKnown, knownOr } from '../../site/known.ts';
import type { NodeFacts, RuleFact } from '../../site/node-facts.ts';
import type { NodeSite, Site } from '../../site/site.ts';
import { notrackCommand } from '../rule-commands.ts';
import { isNotrackOf, type NodeCacheProcess, nodeCaches } from './node-cache-process.ts';

export const d04: Check = {
  id: 'D04',
  title: 'Queries to the node cache are tracked, and so can be translated past it',
  pains: ['P1', 'P5', 'P10'],
  needs: { node: ['rules', 'processes'] },
  run: (site) =>
    site.nodes.flatMap((node) =>
      nodeCaches(node.facts)
        .filter(({ setupIptables }) => setupIptables)
        .flatMap((cache) => findings(node, cache, site)),
    ),
};

function findings({ name, facts }: NodeSite, cache: NodeCacheProcess, site: Site): readonly Finding[] {
  const rules = knownOr(facts.rules, []);
  return cache.localIps.flatMap((address) => {
    const own = rules.filter((rule) => isNotrackOf(rule, address));
    if (own.length === 0) return isSettled(cache, site) ? [missing(name, cache, address, facts)] : [];
    const takers = othersThatTake(address, facts);
    const unmet = own.every(({ packets }) => packets === 0);
    return unmet && takers.length > 0 && isSettled(cache, site) ? [passedBy(name, own, address, takers)] : [];
  });
}

/** Before that it is D05's. */
function isSettled({ startedAtMs, syncSeconds }: NodeCacheProcess, { takenAtMs }: Site): boolean {
  return startedAtMs === undefined || takenAtMs - startedAtMs > syncSeconds * 1000;
}

function missing(node: string, cache: NodeCacheProcess, address: Ip, facts: NodeFacts): Finding {
  const takers = [...othersThatTake(address, facts), ...translations(address, facts)];
  const command = notrackCommand(address, facts);
  return {
    id: 'D04',
    severity: takers.length > 0 ? 'bypassed' : 'warning',
    title: d04.title,
    node,
    evidence: [
      `${cache.label} runs with ${address} in -localip`,
      `no rule NOTRACK for ${address} port 53 in table raw, chain PREROUTING, of iptables-legacy, iptables-nft or nft`,
      ...takers,
    ],
    cause:
      'its packet filter rules were never made, or were removed by somebody who keeps the tables (a firewall, kube-router)',
    fix: command === undefined ? NOT_YET : { kind: 'command', text: command },
  };
}

const NOT_YET: Fix = {
  kind: 'text',
  text: 'Restart the node cache, so that it makes interface and rules anew; add no rule by hand: nobody was seen to listen on the address, and queries that are not tracked would be answered by nobody',
};

function passedBy(node: string, own: readonly RuleFact[], address: Ip, takers: readonly string[]): Finding {
  return {
    id: 'D04',
    severity: 'bypassed',
    title: 'The rules of the node cache are there, and no packet meets them',
    node,
    evidence: [...own.map(({ backend, text }) => `${backend}: ${text}: 0 packets`), ...takers],
    cause: `queries to ${address} are given another destination before rules of netfilter see them`,
    fix: {
      kind: 'text',
      text: 'Redirect where the packets are: with a CiliumLocalRedirectPolicy and the zerohop agent, and the node cache started with -setupinterface=false -setupiptables=false',
    },
  };
}

/** Signs that queries to the address end elsewhere whatever the rules say, as evidence. */
function othersThatTake(address: Ip, { conntrack, hooks }: NodeFacts): readonly string[] {
  const translated = isKnown(conntrack)
    ? conntrack.value.entries.filter(
        (entry) => entry.destination === address && entry.replySource !== address,
      )
    : [];
  const programs = knownOr(hooks, [])
    .filter(({ place }) => /^cgroup (connect|sendmsg)/.test(place))
    .flatMap(({ place, owners }) => owners.map(({ name }) => `${place}: program ${name}`))
    .filter((text) => SOCKET_BALANCER.test(text));
  return [
    ...translated
      .slice(0, 1)
      .map((entry) => `connection tracking: ${entry.source} asked ${address}, ${entry.replySource} answers`),
    ...programs.slice(0, 2),
  ];
}

/** Names of Cilium's and Calico's programs that translate at connect(2). */
const SOCKET_BALANCER = /program (cil_sock|sock[46]_|calico_(connect|sendmsg))/;

/** Rules of kube-proxy, which only take what is tracked. */
function translations(address: Ip, { rules }: NodeFacts): readonly string[] {
  return knownOr(rules, [])
    .filter(
      ({ destination, verdict }) => destination === address && (verdict === 'dnat' || verdict === 'jump'),
    )
    .slice(0, 1)
    .map(({ backend, text }) => `${backend}: ${text}`);
}
