/**
 * What an API server refuses of a NetworkPolicy (networking.k8s.io/v1): peers that are none or two, ranges that end before they
 * begin, prefixes and words that are wrong. Types of fields are not looked at: whoever reads a policy takes what it cannot
 * read for closed.
 */
import { itemsOf, type JsonRecord, recordOf, textOf } from '../../../kube/json-fields.ts';
import { toPort } from '../../../net/port.ts';
import { type Prefix, parsePrefix, prefixContains } from '../../../net/prefix.ts';
import type { FieldCause } from '../api-refusal.ts';

const PORT_NAME = /^(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?$/;

/** `spec` with its defaults. */
export function validateNetworkPolicy(spec: JsonRecord): readonly FieldCause[] {
  const rules = (side: 'from' | 'to', section: 'ingress' | 'egress') =>
    itemsOf(spec[section]).flatMap((item, i) => {
      const rule = recordOf(item);
      const path = `spec.${section}[${i}]`;
      return [
        ...itemsOf(rule.ports).flatMap((port, j) => portCauses(recordOf(port), `${path}.ports[${j}]`)),
        ...itemsOf(rule[side]).flatMap((peer, j) => peerCauses(recordOf(peer), `${path}.${side}[${j}]`)),
      ];
    });
  const types = itemsOf(spec.policyTypes).flatMap((type, i) =>
    unsupported(`spec.policyTypes[${i}]`, type, ['Egress', 'Ingress']),
  );
  return [
    ...selectorCauses(spec.podSelector, 'spec.podSelector'),
    ...rules('from', 'ingress'),
    ...rules('to', 'egress'),
    ...types,
  ];
}

function portCauses({ protocol, port, endPort }: JsonRecord, path: string): readonly FieldCause[] {
  return [
    ...unsupported(`${path}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']),
    ...portNumberCauses(port, `${path}.port`),
    ...(endPort === undefined ? [] : endPortCauses(port, endPort, `${path}.endPort`)),
  ];
}

function portNumberCauses(port: unknown, path: string): readonly FieldCause[] {
  if (port === undefined) return [];
  if (typeof port !== 'string') return rangeCauses(port, path);
  if (PORT_NAME.test(port)) return [];
  return [
    invalidValue(path, `${JSON.stringify(port)}: must be the name of a port, with at least one letter (a-z)`),
  ];
}

function endPortCauses(port: unknown, endPort: unknown, path: string): readonly FieldCause[] {
  const shown = JSON.stringify(endPort);
  if (port === undefined)
    return [invalidValue(path, `${shown}: may not be specified when \`port\` is not specified`)];
  if (typeof port === 'string')
    return [invalidValue(path, `${shown}: may not be specified when \`port\` is non-numeric`)];
  if (typeof endPort === 'number' && endPort < Number(port))
    return [invalidValue(path, `${shown}: must be greater than or equal to \`port\``)];
  return rangeCauses(endPort, path);
}

function rangeCauses(port: unknown, path: string): readonly FieldCause[] {
  if (typeof port === 'number' && toPort(port) !== undefined) return [];
  return [invalidValue(path, `${JSON.stringify(port)}: must be between 1 and 65535, inclusive`)];
}

function peerCauses(peer: JsonRecord, path: string): readonly FieldCause[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const selectors = [podSelector, namespaceSelector].filter((each) => each !== undefined).length;
  if (ipBlock === undefined && selectors === 0)
    return [{ reason: 'FieldValueRequired', field: path, message: 'Required value: must specify a peer' }];
  if (ipBlock !== undefined && selectors > 0) {
    const message = 'Forbidden: may not specify both ipBlock and another peer';
    return [{ reason: 'FieldValueForbidden', field: path, message }];
  }
  return [
    ...selectorCauses(podSelector, `${path}.podSelector`),
    ...selectorCauses(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock === undefined ? [] : blockCauses(recordOf(ipBlock), `${path}.ipBlock`)),
  ];
}

function blockCauses({ cidr, except }: JsonRecord, path: string): readonly FieldCause[] {
  const prefix = parsePrefix(textOf(cidr) ?? '');
  if (prefix === undefined) return [badPrefix(`${path}.cidr`, cidr)];
  return itemsOf(except).flatMap((item, i) => {
    const hole = parsePrefix(textOf(item) ?? '');
    const place = `${path}.except[${i}]`;
    if (hole === undefined) return [badPrefix(place, item)];
    return isStrictlyIn(hole, prefix)
      ? []
      : [invalidValue(place, `${JSON.stringify(item)}: must be a strict subset of \`cidr\``)];
  });
}

function isStrictlyIn(inner: Prefix, outer: Prefix): boolean {
  return inner.length > outer.length && prefixContains(outer, inner.address);
}

const OPERATORS = ['DoesNotExist', 'Exists', 'In', 'NotIn'];

function selectorCauses(selector: unknown, path: string): readonly FieldCause[] {
  return itemsOf(recordOf(selector).matchExpressions).flatMap((item, i): readonly FieldCause[] => {
    const { operator, values } = recordOf(item);
    const place = `${path}.matchExpressions[${i}]`;
    const given = itemsOf(values).length > 0;
    if (!OPERATORS.includes(String(operator)))
      return [
        invalidValue(`${place}.operator`, `${JSON.stringify(operator)}: not a valid selector operator`),
      ];
    const wanted = operator === 'In' || operator === 'NotIn';
    if (wanted === given) return [];
    return wanted
      ? [
          {
            reason: 'FieldValueRequired',
            field: `${place}.values`,
            message: "Required value: must be specified when `operator` is 'In' or 'NotIn'",
          },
        ]
      : [
          {
            reason: 'FieldValueForbidden',
            field: `${place}.values`,
            message: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
          },
        ];
  });
}

function unsupported(path: string, value: unknown, allowed: readonly string[]): readonly FieldCause[] {
  if (allowed.some((word) => word === value)) return [];
  const list = allowed.map((word) => JSON.stringify(word)).join(', ');
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`;
  return [{ reason: 'FieldValueNotSupported', field: path, message }];
}

function badPrefix(path: string, value: unknown): FieldCause {
  return invalidValue(
    path,
    `${JSON.stringify(value ?? '')}: must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)`,
  );
}

function invalidValue(field: string, rest: string): FieldCause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${rest}` };
}
