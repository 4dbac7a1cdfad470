/**
 * Policies that let pods ask their DNS servers, to be applied beside those that are there. A policy that selects a pod closes
 * it, so one of these selects only whom another closes already, and has a name of its own: nobody else's is overwritten.
 */
import type { LabelSelector } from '../../../cluster/rows.ts';
import { quoted, tellingLabels } from '../../picture/redirects.ts';
import type { CiliumPolicyFact } from '../../site/cluster-facts.ts';
import type { DnsTarget } from './dns-targets.ts';

export interface DnsPolicySpec {
  readonly kind: 'NetworkPolicy' | CiliumPolicyFact['kind'];
  /** Of the policy that closes the pods; it gives this one its name. */
  readonly beside: string;
  /** Empty for a policy of the whole cluster. */
  readonly namespace: string;
  readonly selector: LabelSelector;
  readonly targets: readonly DnsTarget[];
  /** Queries are to pass the DNS proxy of Cilium. */
  readonly byProxy?: boolean;
}

/** What names of objects may have (RFC 1123, section 2.1). */
const MAX_NAME = 253;

export function dnsPolicyYaml(spec: DnsPolicySpec): string {
  const { kind, beside, namespace, selector } = spec;
  const isPlain = kind === 'NetworkPolicy';
  return [
    `apiVersion: ${isPlain ? 'networking.k8s.io/v1' : 'cilium.io/v2'}`,
    `kind: ${kind}`,
    'metadata:',
    `  name: ${quoted(`dns-for-${beside}`.slice(0, MAX_NAME))}`,
    ...(namespace === '' ? [] : [`  namespace: ${quoted(namespace)}`]),
    'spec:',
    `  ${isPlain ? 'podSelector' : 'endpointSelector'}: ${selectorText(selector)}`,
    ...(isPlain ? plainEgress(spec) : ciliumEgress(spec)),
  ].join('\n');
}

function selectorText({ matchLabels, matchExpressions }: LabelSelector): string {
  return JSON.stringify({
    ...(Object.keys(matchLabels).length === 0 ? {} : { matchLabels }),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  });
}

function plainEgress({ targets }: DnsPolicySpec): readonly string[] {
  return [
    '  policyTypes: [Egress]',
    '  egress:',
    '    - to:',
    ...targets.flatMap(plainPeer),
    '      ports:',
    '        - { port: 53, protocol: UDP }',
    '        - { port: 53, protocol: TCP }',
  ];
}

function plainPeer({ pod, addresses, server }: DnsTarget): readonly string[] {
  if (pod === undefined) {
    return addresses.map(
      (address) =>
        `        - ipBlock: { cidr: ${JSON.stringify(`${address}/${address.includes(':') ? 128 : 32}`)} }`,
    );
  }
  return [
    `        - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: ${quoted(pod.namespace)} } }`,
    '          podSelector:',
    '            matchLabels:',
    ...tellingLabels(server).map(([key, value]) => `              ${quoted(key)}: ${quoted(value)}`),
  ];
}

function ciliumEgress({ targets, byProxy = false }: DnsPolicySpec): readonly string[] {
  const rules = byProxy ? ['          rules:', '            dns: [{ matchPattern: "*" }]'] : [];
  return [
    '  egress:',
    ...targets.flatMap((target) => [
      ...ciliumPeer(target),
      '      toPorts:',
      '        - ports: [{ port: "53", protocol: ANY }]',
      ...rules,
    ]),
  ];
}

function ciliumPeer({ pod, server }: DnsTarget): readonly string[] {
  if (pod === undefined) return ['    - toEntities: [host]'];
  return [
    '    - toEndpoints:',
    '        - matchLabels:',
    `            io.kubernetes.pod.namespace: ${quoted(pod.namespace)}`,
    ...tellingLabels(server).map(([key, value]) => `            ${quoted(key)}: ${quoted(value)}`),
  ];
}
