/** How pods are run: of core/v1 Pod, and of the template that a workload makes its pods of. */
import type { ContainerPortRow } from '../../../cluster/rows.ts';
import { ok } from '../../../fault/result.ts';
import type { Conversion } from '../../../kube/convert/conversion.ts';
import { labelsOf, objectRow, specOf } from '../../../kube/convert/conversion.ts';
import { convertPod } from '../../../kube/convert/convert-pod.ts';
import { itemsOf, parsedItems, recordOf, textOf, textRecordOf } from '../../../kube/json-fields.ts';
import { parseProtocol, toPort } from '../../../net/port.ts';
import type { ContainerFact, PodFact, PodSpecFact, WorkloadFact } from '../cluster-facts.ts';
import { parseBytes } from './quantity.ts';

/** More than any real pod has; what comes from a stranger's manifest is cut here. */
const MOST_CONTAINERS = 64;
const MOST_ARGS = 256;

export function convertPodFact(object: unknown): Conversion<PodFact> {
  const row = convertPod(object);
  if (!row.ok || row.value === undefined) return row.ok ? ok(undefined) : row;
  return ok({ ...row.value, spec: podSpecOf(object) });
}

export function convertWorkload(kind: WorkloadFact['kind']): (object: unknown) => Conversion<WorkloadFact> {
  return (object) => {
    const identity = objectRow(object);
    if (!identity.ok) return identity;
    return ok({ ...identity.value, kind, template: podSpecOf(specOf(object).template) });
  };
}

/** Of anything with metadata and spec of a pod. */
export function podSpecOf(object: unknown): PodSpecFact {
  const spec = specOf(object);
  const volumes = volumeConfigMaps(spec.volumes);
  return {
    hostNetwork: spec.hostNetwork === true,
    dnsPolicy: textOf(spec.dnsPolicy) ?? 'ClusterFirst',
    nameservers: parsedItems(recordOf(spec.dnsConfig).nameservers, textOf),
    serviceLinks: spec.enableServiceLinks !== false,
    labels: textRecordOf(labelsOf(object)),
    annotations: textRecordOf(recordOf(recordOf(object).metadata).annotations),
    containers: itemsOf(spec.containers)
      .slice(0, MOST_CONTAINERS)
      .map((container) => containerOf(container, volumes)),
  };
}

function containerOf(item: unknown, volumes: ReadonlyMap<string, readonly string[]>): ContainerFact {
  const fields = recordOf(item);
  const memoryLimit = parseBytes(recordOf(recordOf(fields.resources).limits).memory);
  return {
    name: textOf(fields.name) ?? '',
    image: textOf(fields.image) ?? '',
    args: [...parsedItems(fields.command, textOf), ...parsedItems(fields.args, textOf)].slice(0, MOST_ARGS),
    ports: parsedItems(fields.ports, containerPort),
    ...(memoryLimit === undefined ? {} : { memoryLimit }),
    configMaps: itemsOf(fields.volumeMounts).flatMap(
      (mount) => volumes.get(textOf(recordOf(mount).name) ?? '') ?? [],
    ),
  };
}

function containerPort(item: unknown): ContainerPortRow | undefined {
  const fields = recordOf(item);
  const port = typeof fields.containerPort === 'number' ? toPort(fields.containerPort) : undefined;
  const protocol = parseProtocol(textOf(fields.protocol ?? 'TCP') ?? '');
  if (port === undefined || protocol === undefined) return undefined;
  const name = textOf(fields.name) ?? '';
  return { port, protocol, ...(name === '' ? {} : { name }) };
}

/** Volume to the ConfigMaps in it, projected ones too. */
function volumeConfigMaps(volumes: unknown): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const volume of itemsOf(volumes)) {
    const fields = recordOf(volume);
    const sources = [fields, ...itemsOf(recordOf(fields.projected).sources)];
    const names = parsedItems(sources, (source) => textOf(recordOf(recordOf(source).configMap).name));
    found.set(textOf(fields.name) ?? '', names);
  }
  return found;
}
