/** A NetworkPolicy in the form in which it is asked for every pod of its namespace: selectors compiled once. */
import {
  type EgressPeerRow,
  type EgressPortRow,
  type EgressRuleRow,
  type LabelSelector,
  type NetworkPolicyRow,
  type ObjectKey,
  objectKey,
} from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import type { Port } from '../../net/port.ts';
import { prefixContains } from '../../net/prefix.ts';
import { checkSelector, compileSelector, type LabelTest } from '../selector.ts';
import type { EgressBackend } from './egress-target.ts';

export interface ClosingPolicy {
  readonly policy: ObjectKey;
  /** Of a pod of the policy's namespace: it may send only what rules open. */
  readonly closes: LabelTest;
  readonly rules: readonly OpeningRule[];
}

export interface OpeningRule {
  /** At an address that leads to the backend, its own or that of the frontend it stands for. Names are of its pod's ports. */
  opens(place: { readonly address: Ip; readonly port: Port }, backend: EgressBackend): boolean;
}

type PeerTest = (address: Ip, backend: EgressBackend) => boolean;

export function compilePolicy(row: NetworkPolicyRow): ClosingPolicy {
  const selector = row.podSelector === undefined ? undefined : testOf(row.podSelector);
  return {
    policy: objectKey(row),
    // Whom a selector without meaning is to select nobody knows: no pod is known to be open.
    closes: selector ?? (() => true),
    rules: selector === undefined ? [] : row.egress.map((rule) => compileRule(row.namespace, rule)),
  };
}

function compileRule(namespace: string, { peers, ports }: EgressRuleRow): OpeningRule {
  const tests = peers?.map((peer) => compilePeer(namespace, peer));
  return {
    opens: ({ address, port }, backend) =>
      (tests?.some((test) => test(address, backend)) ?? true) &&
      (ports?.some((open) => isOpen(open, port, backend)) ?? true),
  };
}

function compilePeer(namespace: string, peer: EgressPeerRow): PeerTest {
  if (peer.kind === 'block') return (address) => blockOpens(peer, address);
  const pods = peer.pods === undefined ? () => true : (testOf(peer.pods) ?? (() => false));
  const namespaces = peer.namespaces === undefined ? undefined : (testOf(peer.namespaces) ?? (() => false));
  return (_, { pod }) => {
    if (pod === undefined) return false;
    if (namespaces === undefined) return pod.namespace === namespace && pods(pod.labels);
    return pod.namespaceLabels !== undefined && namespaces(pod.namespaceLabels) && pods(pod.labels);
  };
}

function blockOpens({ prefix, except }: Extract<EgressPeerRow, { kind: 'block' }>, address: Ip): boolean {
  return prefixContains(prefix, address) && !except.some((hole) => prefixContains(hole, address));
}

function isOpen(open: EgressPortRow, port: Port, { pod }: EgressBackend): boolean {
  if ('first' in open) return open.first <= port && port <= open.last;
  return pod?.ports.some((each) => each.name === open.name && each.port === port) ?? false;
}

/** Undefined for a selector that cannot mean anything. */
function testOf(selector: LabelSelector): LabelTest | undefined {
  return checkSelector(selector) === undefined ? compileSelector(selector) : undefined;
}
