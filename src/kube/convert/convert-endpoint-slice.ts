/** discovery.k8s.io/v1 EndpointSlice → `EndpointSliceRow`. Slices of no service and of host names are of no interest. */
import type { EndpointRow, EndpointSliceRow } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { excerpt, parsedItems, recordOf, textOf, textRecordOf } from '../json-fields.ts';
import { type Conversion, labelsOf, objectRow, refuse } from './conversion.ts';
import { namedPort, parseAddress, sctpPorts } from './convert-service.ts';

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Multi-Cluster Services API (KEP-1645): what a slice is called after instead when other clusters own it. */
export const IMPORT_NAME_LABEL = 'multicluster.kubernetes.io/service-name';
const SOURCE_CLUSTER_LABEL = 'multicluster.kubernetes.io/source-cluster';
const TRIGGER_TIME_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';

export function convertEndpointSlice(object: unknown): Conversion<EndpointSliceRow> {
  return convertSlice(object, SERVICE_NAME_LABEL);
}

/** A slice of a ServiceImport; its `serviceName` is that of the import. */
export function convertImportedSlice(object: unknown): Conversion<EndpointSliceRow> {
  const converted = convertSlice(object, IMPORT_NAME_LABEL);
  const sourceCluster = textRecordOf(labelsOf(object))[SOURCE_CLUSTER_LABEL] ?? '';
  if (!converted.ok || converted.value === undefined || sourceCluster === '') return converted;
  return ok({ ...converted.value, sourceCluster });
}

function convertSlice(object: unknown, nameLabel: string): Conversion<EndpointSliceRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const fields = recordOf(object);
  const serviceName = textRecordOf(labelsOf(object))[nameLabel] ?? '';
  const { addressType } = fields;
  if (serviceName === '' || addressType === 'FQDN') return ok(undefined);
  if (addressType !== 'IPv4' && addressType !== 'IPv6')
    return refuse(`addressType is not known: received ${excerpt(addressType)}`);
  const { namespace } = identity.value;
  return ok({
    ...identity.value,
    serviceName,
    addressType,
    endpoints: parsedItems(fields.endpoints, (item) => endpointOf(item, namespace)),
    ports: parsedItems(fields.ports, namedPort),
    ...sctpPorts(fields.ports),
    ...triggerTime(object),
  });
}

function triggerTime(object: unknown): { triggeredAtMs?: number } {
  const { annotations } = recordOf(recordOf(object).metadata);
  const triggeredAtMs = Date.parse(textOf(recordOf(annotations)[TRIGGER_TIME_ANNOTATION]) ?? '');
  return Number.isNaN(triggeredAtMs) ? {} : { triggeredAtMs };
}

/** discovery/v1: an absent `ready` means ready, an absent `serving` follows `ready`, an absent `terminating` means no. */
function endpointOf(item: unknown, namespace: string): EndpointRow | undefined {
  const fields = recordOf(item);
  const addresses = parsedItems(fields.addresses, parseAddress);
  if (addresses.length === 0) return undefined;
  const conditions = recordOf(fields.conditions);
  const ready = conditions.ready !== false;
  const target = recordOf(fields.targetRef);
  const podName = target.kind === 'Pod' ? (textOf(target.name) ?? '') : '';
  // One text for all endpoints of a slice, not one for each.
  const podNamespace = target.namespace === namespace ? namespace : (textOf(target.namespace) ?? namespace);
  return {
    addresses,
    ready,
    serving: typeof conditions.serving === 'boolean' ? conditions.serving : ready,
    terminating: conditions.terminating === true,
    ...optionalText('hostname', fields.hostname),
    ...optionalText('nodeName', fields.nodeName),
    ...optionalText('zone', fields.zone),
    ...(podName === '' ? {} : { targetPod: { namespace: podNamespace, name: podName } }),
  };
}

function optionalText<K extends string>(name: K, value: unknown): { [P in K]?: string } {
  const text = textOf(value) ?? '';
  return text === '' ? {} : ({ [name]: text } as { [P in K]?: string });
}
