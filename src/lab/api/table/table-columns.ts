/** The columns of each kind, with the names, order and cell texts that users know from kubectl. */
import { itemsOf, type JsonRecord, recordOf, textOf } from '../../../kube/json-fields.ts';
import type { ApiObject } from '../api-object.ts';
import type { ResourceKind } from '../resources.ts';
import { formatAge } from './format-age.ts';

export interface Column {
  readonly name: string;
  /** Shown only with `-o wide`. */
  readonly wide?: boolean;
  readonly cell: (object: ApiObject, nowMs: number) => string;
}

const NAME: Column = { name: 'Name', cell: (object) => object.metadata.name };
const AGE: Column = {
  name: 'Age',
  cell: (object, nowMs) => formatAge(nowMs - Date.parse(object.metadata.creationTimestamp)),
};

export function columnsOf(kind: ResourceKind): readonly Column[] {
  switch (kind) {
    case 'Pod':
      return POD;
    case 'Service':
      return SERVICE;
    case 'Node':
      return NODE;
    case 'Namespace':
      return [NAME, { name: 'Status', cell: (object) => phaseOf(object) }, AGE];
    case 'EndpointSlice':
      return ENDPOINT_SLICE;
    case 'ConfigMap':
      return [
        NAME,
        { name: 'Data', cell: (object) => String(Object.keys(recordOf(object.data)).length) },
        AGE,
      ];
    case 'Event':
      return EVENT;
    case 'Lease':
      return [NAME, { name: 'Holder', cell: (lease) => textOf(specOf(lease).holderIdentity) ?? '' }, AGE];
    case 'DaemonSet':
      return DAEMON_SET;
    case 'Deployment':
      return DEPLOYMENT;
    case 'NetworkPolicy':
      return [
        NAME,
        { name: 'Pod-Selector', cell: (policy) => selectorText(specOf(policy).podSelector) },
        AGE,
      ];
    case 'CustomResourceDefinition':
      return [NAME, { name: 'Created At', cell: (object) => object.metadata.creationTimestamp }];
    default:
      return [NAME, AGE];
  }
}

const POD: readonly Column[] = [
  NAME,
  { name: 'Ready', cell: (pod) => `${readyContainers(pod)}/${itemsOf(specOf(pod).containers).length}` },
  { name: 'Status', cell: podStatus },
  { name: 'Restarts', cell: (pod) => String(restarts(pod)) },
  AGE,
  { name: 'IP', wide: true, cell: (pod) => orNone(statusOf(pod).podIP) },
  { name: 'Node', wide: true, cell: (pod) => orNone(specOf(pod).nodeName) },
  { name: 'Nominated Node', wide: true, cell: (pod) => orNone(statusOf(pod).nominatedNodeName) },
  { name: 'Readiness Gates', wide: true, cell: () => '<none>' },
];

const SERVICE: readonly Column[] = [
  NAME,
  { name: 'Type', cell: (service) => textOf(specOf(service).type) ?? 'ClusterIP' },
  { name: 'Cluster-IP', cell: (service) => orNone(specOf(service).clusterIP) },
  { name: 'External-IP', cell: externalAddress },
  { name: 'Port(s)', cell: (service) => listed(itemsOf(specOf(service).ports).map(servicePort)) },
  AGE,
  { name: 'Selector', wide: true, cell: (service) => labelText(specOf(service).selector) },
];

const NODE: readonly Column[] = [
  NAME,
  { name: 'Status', cell: (node) => (conditionIs(node, 'Ready', 'True') ? 'Ready' : 'NotReady') },
  { name: 'Roles', cell: nodeRoles },
  AGE,
  { name: 'Version', cell: (node) => textOf(nodeInfo(node).kubeletVersion) ?? '' },
  { name: 'Internal-IP', wide: true, cell: (node) => nodeAddress(node, 'InternalIP') },
  { name: 'External-IP', wide: true, cell: (node) => nodeAddress(node, 'ExternalIP') },
  { name: 'OS-Image', wide: true, cell: (node) => textOf(nodeInfo(node).osImage) ?? '<unknown>' },
  { name: 'Kernel-Version', wide: true, cell: (node) => textOf(nodeInfo(node).kernelVersion) ?? '<unknown>' },
  {
    name: 'Container-Runtime',
    wide: true,
    cell: (node) => textOf(nodeInfo(node).containerRuntimeVersion) ?? '<unknown>',
  },
];

const ENDPOINT_SLICE: readonly Column[] = [
  NAME,
  { name: 'AddressType', cell: (slice) => textOf(slice.addressType) ?? '' },
  {
    name: 'Ports',
    cell: (slice) => unset(itemsOf(slice.ports).map((port) => String(recordOf(port).port ?? '*'))),
  },
  {
    name: 'Endpoints',
    cell: (slice) =>
      unset(itemsOf(slice.endpoints).flatMap((item) => itemsOf(recordOf(item).addresses).map(String))),
  },
  AGE,
];

const DAEMON_SET: readonly Column[] = [
  NAME,
  count('Desired', 'desiredNumberScheduled'),
  count('Current', 'currentNumberScheduled'),
  count('Ready', 'numberReady'),
  count('Up-to-date', 'updatedNumberScheduled'),
  count('Available', 'numberAvailable'),
  { name: 'Node Selector', cell: (set) => labelText(podSpecOf(set).nodeSelector) },
  AGE,
];

const DEPLOYMENT: readonly Column[] = [
  NAME,
  {
    name: 'Ready',
    cell: (deployment) =>
      `${Number(statusOf(deployment).readyReplicas ?? 0)}/${Number(specOf(deployment).replicas ?? 1)}`,
  },
  count('Up-to-date', 'updatedReplicas'),
  count('Available', 'availableReplicas'),
  AGE,
];

const EVENT: readonly Column[] = [
  {
    name: 'Last Seen',
    cell: (event, nowMs) => {
      const seenMs = Date.parse(textOf(event.lastTimestamp) ?? event.metadata.creationTimestamp);
      return formatAge(nowMs - seenMs);
    },
  },
  { name: 'Type', cell: (event) => textOf(event.type) ?? '' },
  { name: 'Reason', cell: (event) => textOf(event.reason) ?? '' },
  {
    name: 'Object',
    cell: (event) => {
      const { kind, name } = recordOf(event.involvedObject);
      return `${String(kind ?? '').toLowerCase()}/${String(name ?? '')}`;
    },
  },
  { name: 'Message', cell: (event) => (textOf(event.message) ?? '').trim() },
];

/** A number of the status, 0 until somebody writes it. */
function count(name: string, statusField: string): Column {
  return { name, cell: (object) => String(Number(statusOf(object)[statusField] ?? 0)) };
}

function podSpecOf(workload: ApiObject): JsonRecord {
  return recordOf(recordOf(specOf(workload).template).spec);
}

function specOf(object: ApiObject): JsonRecord {
  return recordOf(object.spec);
}

function statusOf(object: ApiObject): JsonRecord {
  return recordOf(object.status);
}

function phaseOf(object: ApiObject): string {
  return object.metadata.deletionTimestamp === undefined
    ? (textOf(statusOf(object).phase) ?? '')
    : 'Terminating';
}

function containerStatuses(pod: ApiObject): readonly JsonRecord[] {
  return itemsOf(statusOf(pod).containerStatuses).map(recordOf);
}

function readyContainers(pod: ApiObject): number {
  return containerStatuses(pod).filter((status) => status.ready === true).length;
}

function restarts(pod: ApiObject): number {
  return containerStatuses(pod).reduce((sum, status) => sum + (Number(status.restartCount) || 0), 0);
}

/** Terminating first, then the reason a container gives for not running, then the pod's own reason or phase. */
function podStatus(pod: ApiObject): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  for (const status of containerStatuses(pod)) {
    const state = recordOf(status.state);
    const reason = textOf(recordOf(state.waiting).reason) ?? textOf(recordOf(state.terminated).reason);
    if (reason !== undefined) return reason;
  }
  return textOf(statusOf(pod).reason) ?? textOf(statusOf(pod).phase) ?? 'Unknown';
}

function externalAddress(service: ApiObject): string {
  const spec = specOf(service);
  if (spec.type === 'ExternalName') return orNone(spec.externalName);
  return listed(itemsOf(spec.externalIPs).map(String));
}

function servicePort(item: unknown): string {
  const { port, nodePort, protocol } = recordOf(item);
  const node = typeof nodePort === 'number' ? `:${nodePort}` : '';
  return `${String(port)}${node}/${textOf(protocol) ?? 'TCP'}`;
}

function labelText(labels: unknown): string {
  return listed(
    Object.entries(recordOf(labels))
      .map(([key, value]) => `${key}=${String(value)}`)
      .sort(),
  );
}

/** `app=web,tier in (a,b),!canary`. */
function selectorText(selector: unknown): string {
  const { matchLabels, matchExpressions } = recordOf(selector);
  const expressions = itemsOf(matchExpressions).map((item) => {
    const { key, operator, values } = recordOf(item);
    if (operator === 'Exists') return String(key);
    if (operator === 'DoesNotExist') return `!${String(key)}`;
    return `${String(key)} ${String(operator).toLowerCase()} (${itemsOf(values).map(String).join(',')})`;
  });
  const labels = labelText(matchLabels);
  return listed(labels === '<none>' ? expressions : [labels, ...expressions]);
}

function nodeRoles(node: ApiObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const labels = Object.keys(recordOf(node.metadata.labels));
  return listed(
    labels
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length))
      .sort(),
  );
}

function nodeInfo(node: ApiObject): JsonRecord {
  return recordOf(statusOf(node).nodeInfo);
}

function nodeAddress(node: ApiObject, type: string): string {
  const found = itemsOf(statusOf(node).addresses)
    .map(recordOf)
    .find((address) => address.type === type);
  return orNone(found?.address);
}

function conditionIs(object: ApiObject, type: string, status: string): boolean {
  return itemsOf(statusOf(object).conditions).some((item) => {
    const condition = recordOf(item);
    return condition.type === type && condition.status === status;
  });
}

function orNone(value: unknown): string {
  return textOf(value) || '<none>';
}

function listed(words: readonly string[]): string {
  return words.length === 0 ? '<none>' : words.join(',');
}

/** The endpoint slice printer says `<unset>` and stops after three. */
function unset(words: readonly string[]): string {
  if (words.length === 0) return '<unset>';
  const shown = words.slice(0, 3).join(',');
  return words.length <= 3 ? shown : `${shown} + ${words.length - 3} more...`;
}
