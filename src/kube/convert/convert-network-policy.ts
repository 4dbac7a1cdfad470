/**
 * networking.k8s.io/v1 NetworkPolicy → `NetworkPolicyRow`, by the words of its API documentation. No policy with a name is
 * ever refused: without it the pods it closes would look open. So what cannot be read closes, and opens nothing.
 */
import type {
  EgressPeerRow,
  EgressPortRow,
  EgressRuleRow,
  LabelExpression,
  LabelSelector,
  NetworkPolicyRow,
} from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { type Port, toPort } from '../../net/port.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import { itemsOf, type JsonRecord, parsedItems, recordOf, textOf } from '../json-fields.ts';
import { type Conversion, objectRow, specOf } from './conversion.ts';

export function convertNetworkPolicy(object: unknown): Conversion<NetworkPolicyRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const written = recordOf(object).spec;
  if (isSet(written) && !isObject(written)) return ok({ ...identity.value, egress: [] });
  const spec = specOf(object);
  if (!isAboutEgress(spec)) return ok(undefined);
  // An absent selector is an empty one, and that selects all pods of the namespace.
  const podSelector = selectorOf(spec.podSelector ?? {});
  return ok({
    ...identity.value,
    ...(podSelector === undefined ? {} : { podSelector }),
    egress: parsedItems(spec.egress, ruleOf),
  });
}

/**
 * Without `policyTypes` a policy is about egress if it has rules for it: the API server writes that default down, and takes an
 * empty list of rules for none.
 */
function isAboutEgress({ policyTypes, egress }: JsonRecord): boolean {
  const types = itemsOf(policyTypes);
  if (types.length > 0) return types.some((type) => type !== 'Ingress');
  if (isSet(policyTypes) && !Array.isArray(policyTypes)) return true;
  return isSet(egress) && !(Array.isArray(egress) && egress.length === 0);
}

/** Undefined for a rule that opens nothing to UDP. */
function ruleOf(item: unknown): EgressRuleRow | undefined {
  if (!isObject(item)) return undefined;
  const { to, ports } = recordOf(item);
  // An empty list is as a missing one and means everybody: one in which nothing can be read must not become empty.
  const peers = isAll(to) ? undefined : parsedItems(to, peerOf);
  const open = isAll(ports) ? undefined : parsedItems(ports, portOf);
  if (peers?.length === 0 || open?.length === 0) return undefined;
  return { ...(peers && { peers }), ...(open && { ports: open }) };
}

function isAll(list: unknown): boolean {
  return !isSet(list) || (Array.isArray(list) && list.length === 0);
}

function peerOf(item: unknown): EgressPeerRow | undefined {
  const { ipBlock, podSelector, namespaceSelector } = recordOf(item);
  if (isSet(ipBlock)) {
    // The API allows no other field beside a block.
    return isSet(podSelector) || isSet(namespaceSelector) ? undefined : blockOf(recordOf(ipBlock));
  }
  const pods = isSet(podSelector) ? selectorOf(podSelector) : undefined;
  const namespaces = isSet(namespaceSelector) ? selectorOf(namespaceSelector) : undefined;
  const broken = (isSet(podSelector) && !pods) || (isSet(namespaceSelector) && !namespaces);
  if (broken || (pods === undefined && namespaces === undefined)) return undefined;
  return { kind: 'pods', ...(pods && { pods }), ...(namespaces && { namespaces }) };
}

function blockOf(block: JsonRecord): EgressPeerRow | undefined {
  const prefix = prefixOf(block.cidr);
  if (prefix === undefined || !isList(block.except)) return undefined;
  const except = parsedItems(block.except, prefixOf);
  // Without an exception that cannot be read the block would open what it is to leave out.
  return except.length < itemsOf(block.except).length ? undefined : { kind: 'block', prefix, except };
}

function prefixOf(text: unknown): Prefix | undefined {
  return parsePrefix(textOf(text) ?? '');
}

const FIRST_PORT = 1 as Port;
const LAST_PORT = 65_535 as Port;

/** Undefined for other protocols, too; a missing one is TCP. */
function portOf(item: unknown): EgressPortRow | undefined {
  const { protocol, port, endPort } = recordOf(item);
  if (protocol !== 'UDP') return undefined;
  if (!isSet(port)) return isSet(endPort) ? undefined : { first: FIRST_PORT, last: LAST_PORT };
  if (typeof port === 'string') return port === '' || isSet(endPort) ? undefined : { name: port };
  const first = typeof port === 'number' ? toPort(port) : undefined;
  const last = isSet(endPort) ? (typeof endPort === 'number' ? toPort(endPort) : undefined) : first;
  return first === undefined || last === undefined || last < first ? undefined : { first, last };
}

/** Undefined unless all of it can be read: a clause that is left out would select more pods than are meant. */
function selectorOf(value: unknown): LabelSelector | undefined {
  if (!isObject(value)) return undefined;
  const { matchLabels, matchExpressions } = recordOf(value);
  if (isSet(matchLabels) && !isObject(matchLabels)) return undefined;
  const labels = Object.entries(recordOf(matchLabels));
  const expressions = parsedItems(matchExpressions, expressionOf);
  if (!isList(matchExpressions) || expressions.length < itemsOf(matchExpressions).length) return undefined;
  if (!labels.every((label): label is [string, string] => typeof label[1] === 'string')) return undefined;
  return { matchLabels: Object.fromEntries(labels), matchExpressions: expressions };
}

function expressionOf(item: unknown): LabelExpression | undefined {
  const { key, operator, values } = recordOf(item);
  if (typeof key !== 'string' || typeof operator !== 'string' || !isList(values)) return undefined;
  const texts = parsedItems(values, textOf);
  return texts.length < itemsOf(values).length ? undefined : { key, operator, values: texts };
}

/** Null in JSON is as good as absent. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: unknown): boolean {
  return !isSet(value) || Array.isArray(value);
}
