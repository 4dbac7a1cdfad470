/** networking.k8s.io/v1 NetworkPolicy → `NetworkPolicyFact`. */
import { ok } from '../../../fault/result.ts';
import { type Conversion, objectRow, specOf } from '../../../kube/convert/conversion.ts';
import { itemsOf, parsedItems, recordOf, textOf } from '../../../kube/json-fields.ts';
import { parsePrefix } from '../../../net/prefix.ts';
import type { NetworkPolicyFact, PolicyPeer, PolicyPort, PolicyRule } from '../cluster-facts.ts';
import { selectorPart } from './selectors.ts';

export function convertNetworkPolicy(object: unknown): Conversion<NetworkPolicyFact> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const spec = specOf(object);
  // Without policyTypes: Ingress always, Egress where there is an egress section (networking.k8s.io/v1).
  const types = Array.isArray(spec.policyTypes)
    ? parsedItems(spec.policyTypes, textOf)
    : ['Ingress', ...(itemsOf(spec.egress).length > 0 ? ['Egress'] : [])];
  return ok({
    ...identity.value,
    podSelector: selectorPart(spec.podSelector) ?? { matchLabels: {}, matchExpressions: [] },
    ...(types.includes('Ingress') ? { ingress: rulesOf(spec.ingress, 'from') } : {}),
    ...(types.includes('Egress') ? { egress: rulesOf(spec.egress, 'to') } : {}),
  });
}

function rulesOf(rules: unknown, side: 'from' | 'to'): readonly PolicyRule[] {
  return itemsOf(rules).map((rule) => {
    const fields = recordOf(rule);
    const written = itemsOf(fields[side]);
    const peers = parsedItems(written, peerOf);
    return {
      // A peer that cannot be read allows nobody: a list of only such must not become "everybody".
      peers: written.length > 0 && peers.length === 0 ? [NOBODY] : peers,
      ports: portsOf(fields.ports),
    };
  });
}

const NOBODY: PolicyPeer = {
  kind: 'pods',
  pods: { matchLabels: {}, matchExpressions: [{ key: 'nobody', operator: 'In', values: [] }] },
};

function peerOf(item: unknown): PolicyPeer | undefined {
  const fields = recordOf(item);
  const block = recordOf(fields.ipBlock);
  const prefix = parsePrefix(textOf(block.cidr) ?? '');
  if (prefix !== undefined) {
    const except = parsedItems(block.except, (text) => parsePrefix(textOf(text) ?? ''));
    return { kind: 'block', prefix, except };
  }
  const pods = selectorPart(fields.podSelector);
  const namespaces = selectorPart(fields.namespaceSelector);
  if (pods === undefined && namespaces === undefined) return undefined;
  return {
    kind: 'pods',
    ...(pods === undefined ? {} : { pods }),
    ...(namespaces === undefined ? {} : { namespaces }),
  };
}

/** Cilium writes numbers as text; names stay text. */
export function portsOf(ports: unknown): readonly PolicyPort[] {
  return parsedItems(ports, (item) => {
    const fields = recordOf(item);
    const { port, endPort } = fields;
    return {
      protocol: textOf(fields.protocol) ?? 'TCP',
      ...(typeof port === 'number' ? { port } : {}),
      ...(typeof port === 'string' ? { port: /^\d+$/.test(port) ? Number(port) : port } : {}),
      ...(typeof endPort === 'number' ? { endPort } : {}),
    };
  });
}
