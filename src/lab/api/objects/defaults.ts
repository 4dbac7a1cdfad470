/**
 * What the API server fills in where a manifest is silent, as far as somebody in the lab reads it: kubectl's tables, the
 * endpoint controller, the agent. Pure: takes the object as written, gives a new one.
 */
import { itemsOf, type JsonRecord, recordOf, textOf } from '../../../kube/json-fields.ts';
import type { ResourceKind } from '../resources.ts';

/** `allocate` gives an unused service address; called only for a service that needs one. */
export function withDefaults(kind: ResourceKind, object: JsonRecord, allocate: () => string): JsonRecord {
  switch (kind) {
    case 'Service':
      return { ...object, spec: serviceSpec(recordOf(object.spec), allocate) };
    case 'Pod':
      return podDefaults(object);
    case 'Namespace':
      return {
        ...object,
        metadata: namespaceMetadata(object),
        status: { phase: 'Active', ...recordOf(object.status) },
      };
    case 'CiliumLocalRedirectPolicy':
      if (object.spec === undefined) return object;
      return { ...object, spec: { skipRedirectFromBackend: false, ...recordOf(object.spec) } };
    case 'NetworkPolicy':
      return { ...object, spec: networkPolicySpec(recordOf(object.spec)) };
    default:
      return object;
  }
}

function networkPolicySpec(spec: JsonRecord): JsonRecord {
  const named = itemsOf(spec.policyTypes).length > 0;
  const policyTypes = itemsOf(spec.egress).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  return {
    ...spec,
    ...(spec.ingress === undefined ? {} : { ingress: withProtocols(spec.ingress) }),
    ...(spec.egress === undefined ? {} : { egress: withProtocols(spec.egress) }),
    policyTypes: named ? spec.policyTypes : policyTypes,
  };
}

function withProtocols(rules: unknown): readonly JsonRecord[] {
  return itemsOf(rules).map((item) => {
    const rule = recordOf(item);
    if (rule.ports === undefined) return rule;
    const ports = itemsOf(rule.ports).map((port) => ({ protocol: 'TCP', ...recordOf(port) }));
    return { ...rule, ports };
  });
}

function serviceSpec(spec: JsonRecord, allocate: () => string): JsonRecord {
  const type = textOf(spec.type) ?? 'ClusterIP';
  const ports = itemsOf(spec.ports).map((item) => {
    const port = recordOf(item);
    return { protocol: 'TCP', targetPort: port.port, ...port };
  });
  const filled = { sessionAffinity: 'None', ...spec, type, ...(ports.length === 0 ? {} : { ports }) };
  if (type === 'ExternalName') return filled;
  const listed = textOf(itemsOf(spec.clusterIPs)[0]);
  const clusterIP = textOf(spec.clusterIP) || listed || allocate();
  return { ...filled, clusterIP, clusterIPs: spec.clusterIPs ?? [clusterIP] };
}

function podDefaults(object: JsonRecord): JsonRecord {
  const spec = recordOf(object.spec);
  const containers = itemsOf(spec.containers).map((item) => {
    const container = recordOf(item);
    if (container.ports === undefined) return container;
    return {
      ...container,
      ports: itemsOf(container.ports).map((port) => ({ protocol: 'TCP', ...recordOf(port) })),
    };
  });
  return {
    ...object,
    spec: { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', ...spec, containers },
    status: { phase: 'Pending', ...recordOf(object.status) },
  };
}

function namespaceMetadata(object: JsonRecord): JsonRecord {
  const metadata = recordOf(object.metadata);
  return {
    ...metadata,
    labels: { 'kubernetes.io/metadata.name': metadata.name, ...recordOf(metadata.labels) },
  };
}
