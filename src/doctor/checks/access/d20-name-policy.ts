/**
 * Cilium learns what names stand for by reading the answers that pass its DNS proxy. A rule for names needs a rule that
 * sends the queries there, and that one must name the servers that are really asked: the cache, once there is one.
 */
import type { Check, Finding, Fix } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import type { CiliumPolicyFact } from '../../site/cluster-facts.ts';
import { knownOr } from '../../site/known.ts';
import { objectName, type Site } from '../../site/site.ts';
import { shellWord } from '../shell-word.ts';
import { dnsPolicyYaml } from './dns-policy-yaml.ts';
import { type DnsTarget, dnsTargets } from './dns-targets.ts';
import { selects } from './egress.ts';

export const d20: Check = {
  id: 'D20',
  title: 'Rules for names do not see the answers of the cache',
  pains: ['P22'],
  needs: { cluster: ['services', 'workloads', 'pods', 'localRedirectPolicies', 'ciliumPolicies'] },
  run(site) {
    const targets = dnsTargets(site.cluster, dnsPicture(site)).filter(
      ({ server }) => server.role === 'cache',
    );
    const [target] = targets;
    if (target === undefined) return [];
    return knownOr(site.cluster.ciliumPolicies, [])
      .filter(hasNames)
      .flatMap((policy) => judge(site, policy, target));
  },
};

function hasNames({ rules }: CiliumPolicyFact): boolean {
  return rules.some(({ egress }) => egress.some(({ fqdns }) => fqdns.length > 0));
}

function judge(site: Site, policy: CiliumPolicyFact, target: DnsTarget): readonly Finding[] {
  const proxied = policy.rules.flatMap(({ egress }) => egress.filter(({ dnsRules }) => dnsRules));
  const seen = proxied.some(
    ({ anyPeer, endpoints, entities }) =>
      anyPeer || endpoints.some((selector) => reaches(selector, target)) || entities.some(isHere(target)),
  );
  const bypassed = dnsPicture(site).zerohop && target.way === 'redirected';
  if (seen && !bypassed) return [];
  const names = policy.rules.flatMap(({ egress }) => egress.flatMap(({ fqdns }) => fqdns));
  const object = objectName(policy.kind, policy);
  return [
    {
      id: 'D20',
      severity: seen ? 'warning' : 'broken',
      title: d20.title,
      object,
      evidence: [
        `${object} allows by name: ${names.slice(0, 5).join(', ')}`,
        seen
          ? `${target.what} is given queries by zerohop, which does not pass them through the proxy of Cilium`
          : `none of its rules with "rules: dns" selects ${target.what}, where the queries go`,
      ],
      cause:
        "Cilium's DNS proxy never sees these answers, so no address is ever learnt for the names, and what they allow stays closed",
      fix: seen ? leaveAlone(policy) : proxyFix(policy, target),
    },
  ];
}

/** The namespace is left out of the comparison: a selector that gives it is nearly always right about it. */
function reaches(selector: Parameters<typeof selects>[0], { pod }: DnsTarget): boolean {
  if (pod === undefined) return false;
  return selects(selector, { ...pod.labels, 'io.kubernetes.pod.namespace': pod.namespace });
}

function isHere({ pod }: DnsTarget): (entity: string) => boolean {
  return (entity) => entity === 'all' || entity === 'cluster' || (pod === undefined && entity === 'host');
}

function proxyFix(policy: CiliumPolicyFact, target: DnsTarget): Fix {
  const { kind, name: beside, namespace } = policy;
  const selector = policy.rules.find(({ egress }) =>
    egress.some(({ fqdns }) => fqdns.length > 0),
  )?.endpointSelector;
  if (selector === undefined)
    return {
      kind: 'text',
      text: `Give the rule for names one with "rules: dns" beside it, to ${target.what}`,
    };
  const targets = [target];
  return { kind: 'yaml', text: dnsPolicyYaml({ kind, beside, namespace, selector, targets, byProxy: true }) };
}

/** Pods that are there; a policy of the whole cluster does not say of which namespace. */
function leaveAlone({ namespace }: CiliumPolicyFact): Fix {
  if (namespace === '')
    return {
      kind: 'text',
      text: 'Annotate the pods that it selects, in their templates: zerohop.io/redirect: deny',
    };
  return {
    kind: 'command',
    text: `kubectl annotate pods -n ${shellWord(namespace)} --all zerohop.io/redirect=deny`,
  };
}
