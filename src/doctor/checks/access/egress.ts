/**
 * May a pod send to a server's port 53, by the network policies as written: networking.k8s.io/v1 and, where Cilium is the
 * CNI, its own. Policies add up: a pod is closed as soon as one selects it, and open to what any of those allows; only
 * Cilium's denials go before.
 */
import { type LabelSelector, type NamespaceRow, type ObjectKey, objectKey } from '../../../cluster/rows.ts';
import { parseIp } from '../../../net/ip.ts';
import type { Protocol } from '../../../net/port.ts';
import { type Prefix, prefixContains } from '../../../net/prefix.ts';
import { checkSelector, compileSelector } from '../../../policy/selector.ts';
import type {
  CiliumEgress,
  CiliumPolicyFact,
  CiliumRule,
  ClusterFacts,
  NetworkPolicyFact,
  PolicyPeer,
  PolicyPort,
} from '../../site/cluster-facts.ts';
import { knownOr } from '../../site/known.ts';
import { objectName } from '../../site/site.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Client {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Labels;
}

/** A server as a packet meets it: a pod with labels, or a bare address that no selector of pods matches. */
export interface Target {
  readonly what: string;
  readonly pod?: {
    readonly namespace: string;
    readonly labels: Labels;
    readonly portNames: readonly string[];
  };
  readonly addresses: readonly string[];
  /** Services that stand for it, for `toServices`. */
  readonly services: readonly ObjectKey[];
}

export interface Judgement {
  readonly allowed: boolean;
  /** The policies that close the pod; empty while none does. */
  readonly closedBy: readonly string[];
}

export function mayAsk(
  cluster: ClusterFacts,
  client: Client,
  { target, protocol }: { readonly target: Target; readonly protocol: Protocol },
): Judgement {
  const namespaces = knownOr(cluster.namespaces, []);
  const view: View = { client, target, protocol, labelsOf: (name) => namespaceLabels(namespaces, name) };
  const plain = knownOr(cluster.networkPolicies, []).filter((policy) => closes(policy, client));
  const cilium = knownOr(cluster.ciliumPolicies, []).flatMap((policy) =>
    policy.rules.filter((rule) => selectsClient(policy, rule, view)).map((rule) => ({ policy, rule })),
  );
  const closing = cilium.filter(({ rule }) => rule.isolatesEgress);
  const closedBy = [
    ...plain.map((policy) => objectName('NetworkPolicy', policy)),
    ...new Set(closing.map(({ policy }) => objectName(policy.kind, policy))),
  ];
  const denied = cilium.some(({ policy, rule }) =>
    rule.egressDeny.some((egress) => ciliumMatches(policy, egress, view)),
  );
  const opened =
    plain.some((policy) => (policy.egress ?? []).some((rule) => plainMatches(policy, rule, view))) ||
    cilium.some(({ policy, rule }) => rule.egress.some((egress) => ciliumMatches(policy, egress, view)));
  return { allowed: !denied && (closedBy.length === 0 || opened), closedBy };
}

interface View {
  readonly client: Client;
  readonly target: Target;
  readonly protocol: Protocol;
  labelsOf(namespace: string): Labels;
}

/** True when the policy is about what this pod may send. */
export function closes(policy: NetworkPolicyFact, client: Client): boolean {
  return (
    policy.egress !== undefined &&
    policy.namespace === client.namespace &&
    selects(policy.podSelector, client.labels)
  );
}

/** A selector that cannot mean anything selects nobody. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return checkSelector(selector) === undefined && compileSelector(selector)(labels);
}

/** Every namespace has its name as a label (Kubernetes 1.22), also one that was not listed. */
function namespaceLabels(namespaces: readonly NamespaceRow[], name: string): Labels {
  const own = namespaces.find((row) => row.name === name)?.labels ?? {};
  return { ...own, 'kubernetes.io/metadata.name': name };
}

function plainMatches(
  policy: NetworkPolicyFact,
  rule: NonNullable<NetworkPolicyFact['egress']>[number],
  view: View,
): boolean {
  const peers = rule.peers.length === 0 || rule.peers.some((peer) => peerMatches(policy, peer, view));
  return peers && portsMatch(rule.ports, view);
}

function peerMatches(policy: NetworkPolicyFact, peer: PolicyPeer, { target, labelsOf }: View): boolean {
  if (peer.kind === 'block') return blockMatches(peer, target);
  const { pod } = target;
  if (pod === undefined) return false;
  const there =
    peer.namespaces === undefined
      ? pod.namespace === policy.namespace
      : selects(peer.namespaces, labelsOf(pod.namespace));
  return there && (peer.pods === undefined || selects(peer.pods, pod.labels));
}

function blockMatches(block: { prefix: Prefix; except: readonly Prefix[] }, { addresses }: Target): boolean {
  return addresses.some((text) => {
    const address = parseIp(text);
    if (address === undefined || !prefixContains(block.prefix, address)) return false;
    return !block.except.some((prefix) => prefixContains(prefix, address));
  });
}

function portsMatch(ports: readonly PolicyPort[], { target, protocol }: View): boolean {
  if (ports.length === 0) return true;
  return ports.some((allowed) => {
    if (allowed.protocol !== protocol && allowed.protocol !== 'ANY') return false;
    const { port, endPort } = allowed;
    if (port === undefined || port === 0) return true;
    if (typeof port === 'string') return target.pod?.portNames.includes(port) === true;
    return endPort === undefined ? port === 53 : port <= 53 && endPort >= 53;
  });
}

const NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';

function selectsClient(policy: CiliumPolicyFact, rule: CiliumRule, { client, labelsOf }: View): boolean {
  if (rule.endpointSelector === undefined) return false;
  if (policy.kind === 'CiliumNetworkPolicy' && policy.namespace !== client.namespace) return false;
  return selects(rule.endpointSelector, ciliumLabels(client, labelsOf));
}

/** Labels as Cilium sees them: the namespace and its own labels among them. */
function ciliumLabels(
  pod: { readonly namespace: string; readonly labels: Labels },
  labelsOf: View['labelsOf'],
): Labels {
  const inherited = Object.entries(labelsOf(pod.namespace)).map(([key, value]): [string, string] => [
    `io.cilium.k8s.namespace.labels.${key}`,
    value,
  ]);
  return { ...Object.fromEntries(inherited), ...pod.labels, [NAMESPACE_LABEL]: pod.namespace };
}

function ciliumMatches(policy: CiliumPolicyFact, egress: CiliumEgress, view: View): boolean {
  return ciliumPeerMatches(policy, egress, view) && portsMatch(egress.ports, view);
}

/** Prefixes mean what is outside of the cluster: a pod is known by its labels and matches none (Cilium, CIDR based). */
function ciliumPeerMatches(policy: CiliumPolicyFact, egress: CiliumEgress, view: View): boolean {
  const { pod, services } = view.target;
  if (egress.anyPeer) return true;
  if (egress.entities.some((entity) => entityMatches(entity, pod !== undefined))) return true;
  if (egress.services.some((service) => services.includes(service))) return true;
  if (pod === undefined) return egress.blocks.some((block) => blockMatches(block, view.target));
  return egress.endpoints.some((selector) => endpointMatches(policy, selector, { ...view, pod }));
}

function entityMatches(entity: string, pod: boolean): boolean {
  if (entity === 'all') return true;
  return pod ? entity === 'cluster' : ['cluster', 'host', 'remote-node'].includes(entity);
}

/** A policy of a namespace means its own pods unless the selector speaks of namespaces. */
function endpointMatches(
  policy: CiliumPolicyFact,
  selector: LabelSelector,
  { pod, labelsOf }: View & { readonly pod: NonNullable<Target['pod']> },
): boolean {
  const keys = [...Object.keys(selector.matchLabels), ...selector.matchExpressions.map(({ key }) => key)];
  const speaks = keys.some(
    (key) => key.includes(NAMESPACE_LABEL) || key.includes('io.cilium.k8s.namespace.labels'),
  );
  if (!speaks && policy.kind === 'CiliumNetworkPolicy' && policy.namespace !== pod.namespace) return false;
  return selects(selector, ciliumLabels(pod, labelsOf));
}

export function clientsOf(cluster: ClusterFacts): readonly Client[] {
  const workloads = knownOr(cluster.workloads, [])
    .filter(({ template }) => !template.hostNetwork)
    .map((row) => ({
      name: objectName(row.kind, row),
      namespace: row.namespace,
      labels: row.template.labels,
    }));
  const pods = knownOr(cluster.pods, [])
    .filter(({ hostNetwork, phase }) => !hostNetwork && phase !== 'Succeeded' && phase !== 'Failed')
    .map((row) => ({ name: `Pod ${objectKey(row)}`, namespace: row.namespace, labels: row.labels }));
  return [...pods, ...workloads];
}
