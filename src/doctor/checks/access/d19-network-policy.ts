/**
 * Network policies over the way that queries really take. Most allow "DNS" by the labels of the cluster's own servers; a
 * redirected query has the cache's pod for its destination, and one to a cache on the host an address of no pod.
 */
import { PROTOCOLS } from '../../../net/port.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import type { ClusterFacts } from '../../site/cluster-facts.ts';
import { knownOr } from '../../site/known.ts';
import { objectName } from '../../site/site.ts';
import { dnsPolicyYaml } from './dns-policy-yaml.ts';
import { type DnsTarget, dnsTargets } from './dns-targets.ts';
import { type Client, clientsOf, mayAsk } from './egress.ts';

export const d19: Check = {
  id: 'D19',
  title: 'A network policy takes the queries of pods on their real way',
  pains: ['P21'],
  needs: {
    cluster: [
      'services',
      'workloads',
      'pods',
      'localRedirectPolicies',
      'networkPolicies',
      'ciliumPolicies',
      'namespaces',
    ],
  },
  run(site) {
    const targets = dnsTargets(site.cluster, dnsPicture(site));
    return [...blockedGroups(site.cluster, targets).values()].map((group) =>
      finding(group, site.cluster, targets),
    );
  },
};

interface Blocked {
  readonly namespace: string;
  readonly closedBy: readonly string[];
  readonly target: DnsTarget;
  readonly protocols: readonly string[];
  readonly clients: Client[];
}

/** Pods that the same policies close to the same server are one finding, however many they are. */
function blockedGroups(cluster: ClusterFacts, targets: readonly DnsTarget[]): ReadonlyMap<string, Blocked> {
  const groups = new Map<string, Blocked>();
  const seen = new Map<string, string | undefined>();
  for (const client of clientsOf(cluster)) {
    for (const target of targets) {
      const alike = JSON.stringify([client.namespace, client.labels, target.what]);
      if (!seen.has(alike)) seen.set(alike, openGroup({ cluster, client, target, groups }));
      const group = groups.get(seen.get(alike) ?? '');
      group?.clients.push(client);
    }
  }
  return groups;
}

interface Opening {
  readonly cluster: ClusterFacts;
  readonly client: Client;
  readonly target: DnsTarget;
  readonly groups: Map<string, Blocked>;
}

/** The key of the group, or nothing where the pod may ask. */
function openGroup({ cluster, client, target, groups }: Opening): string | undefined {
  const judged = PROTOCOLS.map((protocol) => ({
    protocol,
    ...mayAsk(cluster, client, { target, protocol }),
  }));
  const refused = judged.filter(({ allowed }) => !allowed);
  if (refused.length === 0) return undefined;
  const closedBy = [...new Set(refused.flatMap((one) => one.closedBy))].sort();
  const protocols = refused.map(({ protocol }) => protocol);
  const key = JSON.stringify([client.namespace, closedBy, target.what, protocols]);
  if (!groups.has(key))
    groups.set(key, { namespace: client.namespace, closedBy, target, protocols, clients: [] });
  return key;
}

const SEVERITY = { redirected: 'broken', only: 'broken', host: 'warning', fallback: 'warning' } as const;

const CAUSE: Readonly<Record<DnsTarget['way'], string>> = {
  redirected:
    'a redirected query has the pod of the cache for its destination, and these policies allow others only: they were written for the cluster DNS',
  only: 'these policies close the pods and none of them opens port 53 of the cluster DNS',
  host: 'the cache is no pod to a policy: only a rule for its addresses allows them (CNIs that let every pod reach its own node do not mind)',
  fallback:
    'when the node has no cache that serves, queries go to the cluster DNS, and these policies do not allow it',
};

function finding(blocked: Blocked, cluster: ClusterFacts, targets: readonly DnsTarget[]): Finding {
  const { namespace, closedBy, target, protocols, clients } = blocked;
  const names = [...new Set(clients.map(({ name }) => name))];
  const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
  const partly = protocols.length === 1 && protocols[0] === 'TCP';
  return {
    id: 'D19',
    severity: partly ? 'warning' : SEVERITY[target.way],
    title: d19.title,
    object: closedBy[0] ?? `Namespace ${namespace}`,
    evidence: [
      `${names.slice(0, 5).join(', ')}${more}: ${protocols.join(' and ')} to port 53 of ${target.what} is not allowed`,
      closedBy.length === 0 ? 'a rule denies it' : `closed by ${closedBy.join(', ')}, and no rule opens it`,
    ],
    cause: CAUSE[target.way],
    fix: fixOf(blocked, { cluster, targets }),
  };
}

function fixOf(
  { namespace, closedBy }: Blocked,
  { cluster, targets }: { readonly cluster: ClusterFacts; readonly targets: readonly DnsTarget[] },
): Fix {
  const plain = knownOr(cluster.networkPolicies, []).find((policy) =>
    closedBy.includes(objectName('NetworkPolicy', policy)),
  );
  if (plain !== undefined) {
    const { name: beside, podSelector: selector } = plain;
    return {
      kind: 'yaml',
      text: dnsPolicyYaml({ kind: 'NetworkPolicy', beside, namespace, selector, targets }),
    };
  }
  const cilium = knownOr(cluster.ciliumPolicies, []).find((policy) =>
    closedBy.includes(objectName(policy.kind, policy)),
  );
  const selectors = (cilium?.rules ?? []).flatMap(({ isolatesEgress, endpointSelector }) =>
    isolatesEgress && endpointSelector !== undefined ? [endpointSelector] : [],
  );
  const [selector] = selectors;
  const denies = cilium?.rules.some(({ egressDeny }) => egressDeny.length > 0) === true;
  // Which of several rules closes these pods, and which others besides, is for its author; and no rule opens what one denies.
  if (cilium === undefined || selector === undefined || selectors.length > 1 || denies) {
    const what = targets.map((target) => target.what).join(' and ');
    return {
      kind: 'text',
      text: `Let the rules that the evidence names allow UDP and TCP port 53 of ${what}`,
    };
  }
  const { kind, name: beside } = cilium;
  const own = { kind, beside, namespace: cilium.namespace, selector, targets };
  return { kind: 'yaml', text: dnsPolicyYaml(own) };
}
