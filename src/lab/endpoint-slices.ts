/** Stand-in for the endpoint slice controller: one IPv4 slice per service with a selector, from the pods it selects. */
import type { PodRow } from '../cluster/rows.ts';

export interface ServiceManifest {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly ServicePortManifest[];
  };
}

interface ServicePortManifest {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
  /** A number; the lab's manifests name no target ports. */
  readonly targetPort?: number;
}

export interface EndpointSliceManifest {
  readonly apiVersion: 'discovery.k8s.io/v1';
  readonly kind: 'EndpointSlice';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly addressType: 'IPv4';
  readonly endpoints: readonly unknown[];
  readonly ports: readonly unknown[];
}

/** Undefined for a service without a selector: its endpoints are somebody else's to write. */
export function endpointSlice(
  service: ServiceManifest,
  pods: readonly PodRow[],
): EndpointSliceManifest | undefined {
  const { selector, ports = [] } = service.spec;
  if (selector === undefined) return undefined;
  const { namespace, name } = service.metadata;
  const selected = pods
    .filter((pod) => pod.namespace === namespace && pod.podIPs.length > 0 && matches(pod.labels, selector))
    .sort((a, b) => a.name.localeCompare(b.name));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name: `${name}-lab`, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: selected.map(endpoint),
    ports: ports.map(({ name: portName, port, protocol = 'TCP', targetPort = port }) => ({
      ...(portName === undefined ? {} : { name: portName }),
      port: targetPort,
      protocol,
    })),
  };
}

function endpoint(pod: PodRow): unknown {
  const ready = pod.ready && !pod.deleting;
  return {
    addresses: pod.podIPs.slice(0, 1),
    conditions: { ready, serving: pod.ready, terminating: pod.deleting },
    nodeName: pod.nodeName,
    targetRef: { kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid },
  };
}

function matches(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
