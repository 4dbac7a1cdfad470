/** core/v1 Pod → `PodRow`. */
import type { ContainerPortRow, PodRow } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { parseProtocol, toPort } from '../../net/port.ts';
import { itemsOf, parsedItems, recordOf, textOf, textRecordOf } from '../json-fields.ts';
import { type Conversion, labelsOf, objectRow, specOf, wishesOf } from './conversion.ts';
import { parseAddress } from './convert-service.ts';

export function convertPod(object: unknown): Conversion<PodRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const spec = specOf(object);
  const status = recordOf(recordOf(object).status);
  const metadata = recordOf(recordOf(object).metadata);
  const labels = textRecordOf(labelsOf(object));
  const workload = workloadOf(metadata.ownerReferences, labels);
  const podIPs = podIPsOf(status);
  const hostNetwork = spec.hostNetwork === true;
  return ok({
    ...identity.value,
    nodeName: textOf(spec.nodeName) ?? '',
    podIPs,
    hostNetwork,
    ...(hostNetwork ? otherHostIPs(status, podIPs) : {}),
    phase: textOf(status.phase) ?? 'Unknown',
    ready: itemsOf(status.conditions).some(isReady),
    deleting: textOf(metadata.deletionTimestamp) !== undefined,
    labels,
    containerPorts: itemsOf(spec.containers).flatMap((container) =>
      parsedItems(recordOf(container).ports, containerPort),
    ),
    ...(workload === undefined ? {} : { workload }),
    ...wishesOf(object),
  });
}

function podIPsOf(status: Readonly<Record<string, unknown>>): PodRow['podIPs'] {
  const all = parsedItems(status.podIPs, (item) => parseAddress(recordOf(item).ip));
  return all.length > 0 ? all : parsedItems([status.podIP], parseAddress);
}

/** Kubelets before 1.28 report one address of the host, and older ones one podIP even where the node has two. */
function otherHostIPs(
  status: Readonly<Record<string, unknown>>,
  podIPs: PodRow['podIPs'],
): Pick<PodRow, 'hostIPs'> {
  const all = [
    ...parsedItems(status.hostIPs, (item) => parseAddress(recordOf(item).ip)),
    ...parsedItems([status.hostIP], parseAddress),
  ];
  const hostIPs = [...new Set(all)].filter((address) => !podIPs.includes(address));
  return hostIPs.length === 0 ? {} : { hostIPs };
}

function isReady(condition: unknown): boolean {
  const { type, status } = recordOf(condition);
  return type === 'Ready' && status === 'True';
}

function containerPort(item: unknown): ContainerPortRow | undefined {
  const fields = recordOf(item);
  const port = typeof fields.containerPort === 'number' ? toPort(fields.containerPort) : undefined;
  const protocol = parseProtocol(textOf(fields.protocol ?? 'TCP') ?? '');
  if (port === undefined || protocol === undefined) return undefined;
  const name = textOf(fields.name) ?? '';
  return { port, protocol, ...(name === '' ? {} : { name }) };
}

/**
 * The controlling owner. A Deployment does not own its pods itself: its ReplicaSet does, and that is called after the
 * Deployment and the value of the label pod-template-hash.
 */
function workloadOf(
  owners: unknown,
  labels: Readonly<Record<string, string>>,
): { kind: string; name: string } | undefined {
  const owner = recordOf(itemsOf(owners).find((item) => recordOf(item).controller === true));
  const kind = textOf(owner.kind) ?? '';
  const name = textOf(owner.name) ?? '';
  if (kind === '' || name === '') return undefined;
  const suffix = `-${labels['pod-template-hash'] ?? ''}`;
  if (kind === 'ReplicaSet' && suffix !== '-' && name.endsWith(suffix) && name.length > suffix.length)
    return { kind: 'Deployment', name: name.slice(0, -suffix.length) };
  return { kind, name };
}
