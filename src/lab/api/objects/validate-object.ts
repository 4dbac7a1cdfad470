/** Rules that hold for every kind, and the kinds' own. Reports all complaints at once, as the API server does. */
import { isIP } from 'node:net';
import { itemsOf, type JsonRecord, recordOf, textOf } from '../../../kube/json-fields.ts';
import { toPort } from '../../../net/port.ts';
import type { FieldCause } from '../api-refusal.ts';
import type { Resource } from '../resources.ts';
import { validateLocalRedirectPolicy } from './validate-local-redirect-policy.ts';
import { validateNetworkPolicy } from './validate-network-policy.ts';

/** RFC 1123 subdomain, as the API server words it. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_MAX = 253;

export function validateObject(
  resource: Resource,
  object: JsonRecord,
  previous?: JsonRecord,
): readonly FieldCause[] {
  const metadata = recordOf(object.metadata);
  return [
    ...nameCauses(textOf(metadata.name) ?? ''),
    ...labelCauses(metadata.labels),
    ...kindCauses(resource, object, previous),
  ];
}

function nameCauses(name: string): readonly FieldCause[] {
  const path = 'metadata.name';
  if (name === '') return [required(path, ': name or generateName is required')];
  if (name.length <= NAME_MAX && SUBDOMAIN.test(name)) return [];
  return [
    invalidValue(
      path,
      `${JSON.stringify(name)}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`,
    ),
  ];
}

function labelCauses(labels: unknown): readonly FieldCause[] {
  const bad = Object.entries(recordOf(labels)).filter(([, value]) => typeof value !== 'string');
  return bad.map(([key, value]) =>
    invalidValue('metadata.labels', `${JSON.stringify(value)}: the value of ${key} must be a string`),
  );
}

function kindCauses(resource: Resource, object: JsonRecord, previous?: JsonRecord): readonly FieldCause[] {
  switch (resource.kind) {
    case 'CiliumLocalRedirectPolicy':
      return validateLocalRedirectPolicy(object.spec, previous?.spec);
    case 'Service':
      return serviceCauses(recordOf(object.spec), previous && recordOf(previous.spec));
    case 'Pod':
      return podCauses(recordOf(object.spec));
    case 'NetworkPolicy':
      return validateNetworkPolicy(recordOf(object.spec));
    default:
      return [];
  }
}

function serviceCauses(spec: JsonRecord, previous?: JsonRecord): readonly FieldCause[] {
  const causes: FieldCause[] = [];
  const clusterIP = textOf(spec.clusterIP) ?? '';
  if (clusterIP !== '' && clusterIP !== 'None' && isIP(clusterIP) === 0)
    causes.push(
      invalidValue(
        'spec.clusterIPs[0]',
        `${JSON.stringify(clusterIP)}: must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
      ),
    );
  const before = textOf(previous?.clusterIP) ?? '';
  if (before !== '' && before !== clusterIP && spec.type !== 'ExternalName')
    causes.push(invalidValue('spec.clusterIPs[0]', `${JSON.stringify(clusterIP)}: field is immutable`));
  itemsOf(spec.ports).forEach((item, i) => {
    const { port } = recordOf(item);
    if (typeof port !== 'number' || toPort(port) === undefined)
      causes.push(
        invalidValue(
          `spec.ports[${i}].port`,
          `${JSON.stringify(port ?? 0)}: must be between 1 and 65535, inclusive`,
        ),
      );
  });
  if (spec.type !== 'ExternalName' && clusterIP !== 'None' && itemsOf(spec.ports).length === 0)
    causes.push(required('spec.ports'));
  return causes;
}

function podCauses(spec: JsonRecord): readonly FieldCause[] {
  const containers = itemsOf(spec.containers);
  if (containers.length === 0) return [required('spec.containers')];
  return containers.flatMap((item, i) =>
    (textOf(recordOf(item).name) ?? '') === '' ? [required(`spec.containers[${i}].name`)] : [],
  );
}

function required(field: string, more = ''): FieldCause {
  return { reason: 'FieldValueRequired', field, message: `Required value${more}` };
}

function invalidValue(field: string, rest: string): FieldCause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${rest}` };
}
