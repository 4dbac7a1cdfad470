/** core/v1 Node → `NodeRow` and Namespace → `NamespaceRow`: both little more than a name and labels. */
import type { NamespaceRow, NodeRow } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { parsePrefix } from '../../net/prefix.ts';
import { parsedItems, recordOf, textOf, textRecordOf } from '../json-fields.ts';
import { type Conversion, labelsOf, objectRow, specOf, wishesOf } from './conversion.ts';
import { parseAddress } from './convert-service.ts';

export function convertNode(object: unknown): Conversion<NodeRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const status = recordOf(recordOf(object).status);
  const { podCIDR, podCIDRs } = specOf(object);
  const podPrefixes = parsedItems(podCIDRs ?? [podCIDR], (text) => parsePrefix(textOf(text) ?? ''));
  return ok({
    ...identity.value,
    internalIPs: parsedItems(status.addresses, (item) => {
      const { type, address } = recordOf(item);
      return type === 'InternalIP' ? parseAddress(address) : undefined;
    }),
    labels: textRecordOf(labelsOf(object)),
    ...(podPrefixes.length === 0 ? {} : { podPrefixes }),
  });
}

export function convertNamespace(object: unknown): Conversion<NamespaceRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  return ok({ ...identity.value, labels: textRecordOf(labelsOf(object)), ...wishesOf(object) });
}
