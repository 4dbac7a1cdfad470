/**
 * What a killed cache leaves: its interface keeps the address that pods ask on this node, and nobody listens there. Rules
 * alone do less harm, but keep the queries from being translated to anyone who would answer.
 */
import type { Ip } from '../../../net/ip.ts';
import type { Check, Finding } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { isOfServices } from '../../picture/service-interfaces.ts';
import { knownOr } from '../../site/known.ts';
import type { InterfaceFact, NodeFacts, RuleFact } from '../../site/node-facts.ts';
import type { NodeSite, Site } from '../../site/site.ts';
import { removeRule } from '../rule-commands.ts';
import { shellWord } from '../shell-word.ts';
import {
  isCacheAddress,
  isNotrackOf,
  listensOn,
  type NodeCacheProcess,
  nodeCaches,
} from './node-cache-process.ts';

export const d06: Check = {
  id: 'D06',
  title: 'An interface or rules of a node cache are there without it',
  pains: ['P9'],
  needs: { node: ['interfaces', 'rules', 'sockets'] },
  run: (site) => site.nodes.flatMap((node) => findings(node, site)),
};

function findings({ name, facts }: NodeSite, site: Site): readonly Finding[] {
  const services = new Set<string>(dnsPicture(site).services.flatMap(({ clusterIPs }) => clusterIPs));
  const sockets = knownOr(facts.sockets, []);
  const rules = knownOr(facts.rules, []);
  const held = knownOr(facts.interfaces, [])
    .filter((one) => one.name !== 'lo' && !isOfServices(one))
    .flatMap((one) =>
      one.addresses.filter((ip) => isOfCache(ip, one, facts, services)).map((address) => ({ address, one })),
    );
  const ofInterfaces = held
    .filter(({ address }) => !listensOn(sockets, address))
    .map(({ address, one }) =>
      leftInterface(name, one, address, {
        rules: ruleLines(rules, address),
        running: nodeCaches(facts).filter(({ localIps }) => localIps.includes(address)),
      }),
    );
  const addresses = new Set(held.map(({ address }) => address));
  const alone = [...new Set(rules.flatMap((rule) => rule.destination ?? []))].filter(
    (address) => !addresses.has(address) && rules.some((rule) => isNotrackOf(rule, address)),
  );
  const ofRules = alone
    .filter((address) => !listensOn(sockets, address))
    .map((address) =>
      leftRules(
        name,
        address,
        rules.filter((rule) => isLeftBy(rule, address)),
      ),
    );
  return [...ofInterfaces, ...ofRules];
}

function isOfCache(ip: Ip, one: InterfaceFact, facts: NodeFacts, services: ReadonlySet<string>): boolean {
  const isNamed = one.name === 'nodelocaldns' || one.name === 'localdns';
  if (isNamed) return !ip.startsWith('fe80:');
  return isCacheAddress(ip, facts) || services.has(ip);
}

function concerns(rule: RuleFact, address: Ip): boolean {
  return rule.destination === address || rule.source === address;
}

/** Those of kube-proxy for the same address, and those of a firewall, are not a cache's: the fix removes what is listed. */
function isLeftBy(rule: RuleFact, address: Ip): boolean {
  const isAccepted = rule.verdict === 'accept' && /NodeLocal ?DNS/i.test(rule.comment ?? '');
  return concerns(rule, address) && (rule.verdict === 'notrack' || isAccepted);
}

function ruleLines(rules: readonly RuleFact[], address: Ip): readonly string[] {
  const count = rules.filter((rule) => rule.verdict === 'notrack' && concerns(rule, address)).length;
  return count === 0 ? [] : [`${count} rules keep packets of ${address} from being tracked`];
}

function leftInterface(
  node: string,
  { name: ifname }: InterfaceFact,
  address: Ip,
  seen: { readonly rules: readonly string[]; readonly running: readonly NodeCacheProcess[] },
): Finding {
  const [cache] = seen.running;
  const length = address.includes(':') ? 128 : 32;
  const evidence = [
    `interface ${ifname} has ${address}`,
    `no socket is bound to ${address} port 53, nor to port 53 of all addresses`,
    ...seen.rules,
    ...seen.running.map(
      ({ label }) => `${label} runs with ${address} in -localip, and does not listen there`,
    ),
  ];
  const refused = `queries to ${address} end on this node and are refused`;
  return {
    id: 'D06',
    severity: 'broken',
    title: d06.title,
    node,
    evidence,
    cause:
      cache === undefined
        ? `a node cache was killed before it could clean up; ${refused}`
        : `the node cache set the node up and serves nothing; ${refused}`,
    fix:
      cache === undefined
        ? { kind: 'command', text: `ip address delete ${address}/${length} dev ${shellWord(ifname)}` }
        : {
            kind: 'text',
            text: 'Read its log: a Corefile that it cannot serve, or a port that somebody else has',
          },
  };
}

function leftRules(node: string, address: Ip, rules: readonly RuleFact[]): Finding {
  return {
    id: 'D06',
    severity: 'warning',
    title: d06.title,
    node,
    evidence: [
      ...rules.slice(0, 4).map(({ backend, table, text }) => `${backend} ${table}: ${text}`),
      `no interface has ${address}, and no socket is bound to its port 53`,
    ],
    cause: `a node cache went and left its rules; packets to ${address} cannot be translated while they are there`,
    fix: { kind: 'command', text: rules.map(removeRule).join('\n') },
  };
}
