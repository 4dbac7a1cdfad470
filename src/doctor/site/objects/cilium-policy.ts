/**
 * cilium.io/v2 CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy → `CiliumPolicyFact`: egress as far as it decides
 * about DNS. Deliberately absent: ingress, HTTP and the other layer 7 rules.
 */
import type { LabelSelector } from '../../../cluster/rows.ts';
import { ok } from '../../../fault/result.ts';
import { type Conversion, objectRow } from '../../../kube/convert/conversion.ts';
import { itemsOf, type JsonRecord, parsedItems, recordOf, textOf } from '../../../kube/json-fields.ts';
import { parsePrefix } from '../../../net/prefix.ts';
import type { CiliumEgress, CiliumPolicyFact, CiliumRule, PolicyPort } from '../cluster-facts.ts';
import { portsOf } from './network-policy.ts';
import { selectorPart } from './selectors.ts';

const PEER_FIELDS = [
  'toEndpoints',
  'toCIDR',
  'toCIDRSet',
  'toEntities',
  'toServices',
  'toFQDNs',
  'toGroups',
  'toNodes',
] as const;

export function convertCiliumPolicy(
  kind: CiliumPolicyFact['kind'],
): (object: unknown) => Conversion<CiliumPolicyFact> {
  return (object) => {
    const identity = objectRow(object);
    if (!identity.ok) return identity;
    const specs = [recordOf(object).spec, ...itemsOf(recordOf(object).specs)].filter(
      (spec) => spec !== undefined && spec !== null,
    );
    return ok({ ...identity.value, kind, rules: specs.map((spec) => ruleOf(recordOf(spec))) });
  };
}

function ruleOf(spec: JsonRecord): CiliumRule {
  const endpointSelector = selectorPart(spec.endpointSelector);
  const asked = recordOf(spec.enableDefaultDeny).egress;
  return {
    ...(endpointSelector === undefined ? {} : { endpointSelector }),
    egress: itemsOf(spec.egress).map(egressOf),
    egressDeny: itemsOf(spec.egressDeny).map(egressOf),
    isolatesEgress:
      typeof asked === 'boolean' ? asked : Array.isArray(spec.egress) || Array.isArray(spec.egressDeny),
  };
}

function egressOf(item: unknown): CiliumEgress {
  const fields = recordOf(item);
  const toPorts = itemsOf(fields.toPorts).map(recordOf);
  return {
    endpoints: parsedItems(fields.toEndpoints, selectorPart) satisfies readonly LabelSelector[],
    blocks: [...parsedItems(fields.toCIDR, blockOf), ...parsedItems(fields.toCIDRSet, blockOf)],
    entities: parsedItems(fields.toEntities, textOf),
    services: parsedItems(fields.toServices, serviceOf),
    fqdns: parsedItems(fields.toFQDNs, (name) => {
      const { matchName, matchPattern } = recordOf(name);
      return textOf(matchName) ?? textOf(matchPattern);
    }),
    ports: toPorts.flatMap(({ ports }): readonly PolicyPort[] => portsOf(ports)),
    dnsRules: toPorts.some(({ rules }) => itemsOf(recordOf(rules).dns).length > 0),
    anyPeer: PEER_FIELDS.every((name) => fields[name] === undefined),
  };
}

function blockOf(item: unknown): CiliumEgress['blocks'][number] | undefined {
  const text = textOf(item) ?? textOf(recordOf(item).cidr) ?? '';
  const prefix = parsePrefix(text);
  if (prefix === undefined) return undefined;
  return { prefix, except: parsedItems(recordOf(item).except, (cidr) => parsePrefix(textOf(cidr) ?? '')) };
}

function serviceOf(item: unknown): string | undefined {
  const { serviceName, namespace } = recordOf(recordOf(item).k8sService);
  const name = textOf(serviceName);
  return name === undefined ? undefined : `${textOf(namespace) ?? 'default'}/${name}`;
}
