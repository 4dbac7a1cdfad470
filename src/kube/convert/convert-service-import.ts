/**
 * multicluster.x-k8s.io/v1alpha1 ServiceImport (KEP-1645) → `ServiceRow`: addresses that other clusters gave, or none
 * for a headless import. Everything else a service may have, an import has not.
 */
import type { ServiceRow } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { excerpt, parsedItems } from '../json-fields.ts';
import { type Conversion, objectRow, refuse, specOf } from './conversion.ts';
import { namedPort, parseAddress, sctpPorts } from './convert-service.ts';

export function convertServiceImport(object: unknown): Conversion<ServiceRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const spec = specOf(object);
  if (spec.type !== 'ClusterSetIP' && spec.type !== 'Headless')
    return refuse(`spec.type is not known: received ${excerpt(spec.type)}`);
  const headless = spec.type === 'Headless';
  return ok({
    ...identity.value,
    type: 'ClusterIP',
    clusterIPs: headless ? [] : parsedItems(spec.ips, parseAddress),
    headless,
    externalIPs: [],
    ports: parsedItems(spec.ports, namedPort),
    ...sctpPorts(spec.ports),
    selector: {},
    publishNotReadyAddresses: false,
  });
}
