/**
 * The lab's control plane, one process in the control node's namespace: API server, kubelets of both nodes, endpoint
 * slices, kube-proxy. The controllers read the cluster the way everything else does, by list and watch.
 */
import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterSnapshot } from '../cluster/snapshot.ts';
import { errorText } from '../fault/app-error.ts';
import { createKubeClient } from '../kube/client.ts';
import { startClusterWatch } from '../kube/cluster-watch.ts';
import { endpointConfig } from '../kube/config/load-kube-config.ts';
import { systemClock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { ApiObject } from './api/api-object.ts';
import { createApiServer } from './api/http-server.ts';
import type { ObjectStore } from './api/object-store.ts';
import { type Certificates, readCertificates } from './certificates.ts';
import { endpointSlice, type ServiceManifest } from './endpoint-slices.ts';
import { clusterManifests } from './manifests.ts';
import { Kubelet } from './node/kubelet.ts';
import type { PodManifest } from './node/pod-spec.ts';
import { applyProxyRules, proxyRules } from './proxy.ts';
import { API_PORT, CONTROL_NODE, LAB_PATHS, type LabNode, NODES, nodeNamespace } from './topology.ts';

const PROXY_RETRY_MS = 500;
/** As written into a pod that is being deleted; its kubelet removes the object once the container has ended. */
const POD_GRACE_SECONDS = 30;

/** Runs until the process is killed. */
export async function runControlPlane(): Promise<void> {
  const certificates = readCertificates();
  const { store, handler } = createApiServer({ clock: systemClock, podGraceSeconds: POD_GRACE_SECONDS });
  const local = createHttpServer(handler);
  local.listen(LAB_PATHS.api);
  absentOnSignal(local);
  createHttpsServer({ cert: certificates.cert, key: certificates.key }, handler).listen(
    API_PORT,
    CONTROL_NODE.address,
  );
  const cluster = startClusterWatch({
    client: createKubeClient(endpointConfig(`unix://${LAB_PATHS.api}`)),
    kinds: ['services', 'endpointSlices', 'pods'],
    log: controlLog,
    clock: systemClock,
    random: Math.random,
  });
  const around = {
    store,
    certificates,
    token: randomBytes(16).toString('hex'),
    cluster: cluster.snapshot.get,
  };
  const kubelets = new Map(NODES.map((node) => [node.name, createKubelet(node, around)]));
  watchPods(store, kubelets);
  watchEndpoints(store, cluster.snapshot.watch);
  watchProxies(cluster.snapshot.watch);
  for (const node of NODES) registerNode(store, node);
  await applyManifests(store, () => cluster.synced());
  await new Promise(() => undefined);
}

/** The API server goes away and comes back at each SIGUSR2, for those who ask by its socket: a trial plays its loss. */
function absentOnSignal(server: Server): void {
  process.on('SIGUSR2', () => {
    if (!server.listening) return void server.listen(LAB_PATHS.api);
    server.close();
    server.closeAllConnections();
  });
}

/** The services come before the pods, which are told of them in their environment. */
async function applyManifests(store: ObjectStore, synced: () => Promise<void>): Promise<void> {
  const objects = clusterManifests();
  for (const object of objects.filter(({ kind }) => kind !== 'Pod')) store.apply(object);
  await synced();
  for (const object of objects.filter(({ kind }) => kind === 'Pod')) store.apply(object);
}

function registerNode(store: ObjectStore, node: LabNode): void {
  store.apply({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: node.name, labels: { 'kubernetes.io/hostname': node.name } },
    spec: { podCIDR: `${node.podPrefix}.0/24` },
  });
  store.patchStatus(
    { kind: 'Node', name: node.name },
    {
      addresses: [
        { type: 'InternalIP', address: node.address },
        { type: 'Hostname', address: node.name },
      ],
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
    },
  );
}

interface Surroundings {
  readonly store: ObjectStore;
  readonly certificates: Certificates;
  readonly token: string;
  readonly cluster: () => ClusterSnapshot;
}

function createKubelet(node: LabNode, around: Surroundings): Kubelet {
  return new Kubelet({
    node,
    log: (line) => console.log(`${node.name}: ${line}`),
    surroundings: (pod) => ({
      configMap: (name) => configMapData(around.store, pod.metadata.namespace, name),
      services: [...around.cluster().services.values()],
      ca: around.certificates.ca,
      token: around.token,
    }),
    writeStatus: ({ metadata: { namespace, name } }, status) => {
      if (around.store.find({ kind: 'Pod', namespace, name }) === undefined) return;
      around.store.patchStatus({ kind: 'Pod', namespace, name }, status);
    },
  });
}

function configMapData(store: ObjectStore, namespace: string, name: string): Record<string, string> {
  const found = store.find({ kind: 'ConfigMap', namespace, name });
  return (found?.data ?? {}) as Record<string, string>;
}

function watchPods(store: ObjectStore, kubelets: ReadonlyMap<string, Kubelet>): void {
  store.watch('Pod', ({ type, object }) => {
    const pod = object as unknown as PodManifest;
    const kubelet = kubelets.get(pod.spec.nodeName ?? CONTROL_NODE.name);
    if (kubelet === undefined) return;
    const work = type === 'DELETED' || isLeaving(object) ? leave(store, kubelet, pod) : kubelet.start(pod);
    work.catch((error: unknown) =>
      console.log(`Cannot follow pod ${pod.metadata.name}: ${errorText(error)}`),
    );
  });
}

function isLeaving(object: ApiObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

/** The object stays until the container has ended, so that everybody has let go of the pod before it dies. */
async function leave(store: ObjectStore, kubelet: Kubelet, pod: PodManifest): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  await kubelet.stop(pod);
  const known = store.find({ kind: 'Pod', namespace, name });
  if (known?.metadata.uid === uid) store.delete({ kind: 'Pod', namespace, name });
}

type Watch = (listener: (snapshot: ClusterSnapshot) => void) => () => void;

function watchEndpoints(store: ObjectStore, watch: Watch): void {
  watch((snapshot) => {
    const pods = [...snapshot.pods.values()];
    for (const service of store.list('Service')) {
      const slice = endpointSlice(service as unknown as ServiceManifest, pods);
      if (slice === undefined) continue;
      const { namespace, name } = slice.metadata;
      const known = store.find({ kind: 'EndpointSlice', namespace, name });
      if (known === undefined) store.create({ ...slice });
      else
        store.update({ kind: 'EndpointSlice', namespace, name }, (now) => ({
          ...now,
          ...slice,
          metadata: now.metadata,
        }));
    }
  });
}

/** One run of nft at a time and node; what came meanwhile is in the next one, and a failure is tried again. */
function watchProxies(watch: Watch): void {
  let written = '';
  let wanted = '';
  let busy = false;
  const write = async () => {
    if (busy || wanted === written) return;
    busy = true;
    const rules = wanted;
    try {
      await Promise.all(NODES.map((node) => applyProxyRules(rules, nodeNamespace(node))));
      written = rules;
    } catch (error) {
      console.log(`Cannot write the service rules: ${errorText(error)}`);
      await sleep(PROXY_RETRY_MS);
    }
    busy = false;
    void write();
  };
  watch((snapshot) => {
    wanted = proxyRules(snapshot);
    void write();
  });
}

const controlLog: Log = {
  debug: () => undefined,
  info: (text) => console.log(text),
  warning: (text) => console.log(text),
  error: (text) => console.log(text),
  fatal(text) {
    console.log(text);
    return process.exit(1);
  },
};
