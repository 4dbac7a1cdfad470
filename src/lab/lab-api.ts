/** What the lab's foreground asks of its own API server and agents. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentClient, createAgentClient } from '../agent/client.ts';
import { AppError } from '../fault/app-error.ts';
import { createKubeClient } from '../kube/client.ts';
import { endpointConfig } from '../kube/config/load-kube-config.ts';
import type { Manifest } from './api/object-store.ts';
import { lastWords } from './exec.ts';
import { readManifests } from './manifests.ts';
import { agentSocket, NODES } from './topology.ts';

const POLL_MS = 25;
const POLICIES = '/apis/cilium.io/v2/namespaces/kube-system/ciliumlocalredirectpolicies';

export interface LabPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly address: string;
  readonly ready: boolean;
  readonly restarts: number;
}

export interface LabApi {
  /** In the order of their names. */
  pods(): Promise<readonly LabPod[]>;
  /** Creates the field reports' policy as it stands in the manifest. */
  createPolicy(): Promise<void>;
  deletePolicy(): Promise<void>;
  createPod(namespace: string, pod: Manifest): Promise<void>;
  /** As `kubectl annotate --overwrite`; an annotation that is null goes. */
  annotatePod(namespace: string, name: string, annotations: Record<string, string | null>): Promise<void>;
  /** As `kubectl delete --wait=false`: the pod is leaving when this resolves. */
  deletePod(namespace: string, name: string): Promise<void>;
  agent(node: { readonly name: string }): AgentClient;
  /** Resolves when every local pod's interface carries our programs, on every node. */
  agentsReady(timeoutMs: number, aborted: AbortSignal): Promise<void>;
  close(): void;
}

export function openLabApi(socketPath: string): LabApi {
  const client = createKubeClient(endpointConfig(`unix://${socketPath}`));
  const agents = new Map(NODES.map((node) => [node.name, createAgentClient(agentSocket(node))]));
  const agent = (node: { readonly name: string }) => {
    const found = agents.get(node.name);
    if (found === undefined) throw new Error(`no node ${node.name}`);
    return found;
  };
  const pods = async () => readPods(await client.get('/api/v1/pods'));
  return {
    pods,
    agent,
    createPolicy: async () => {
      await client.create(POLICIES, readManifests('lrp-nodelocaldns.yaml')[0]);
    },
    deletePolicy: async () => {
      await client.delete(`${POLICIES}/nodelocaldns`);
    },
    createPod: async (namespace, pod) => {
      await client.create(`/api/v1/namespaces/${namespace}/pods`, pod);
    },
    annotatePod: async (namespace, name, annotations) => {
      await client.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, { metadata: { annotations } });
    },
    deletePod: async (namespace, name) => {
      await client.delete(`/api/v1/namespaces/${namespace}/pods/${name}`);
    },
    async agentsReady(timeoutMs, aborted) {
      const expected = await pods();
      for (const node of NODES) {
        const names = expected
          .filter((pod) => pod.node === node.name)
          .map((pod) => `${pod.namespace}/${pod.name}`);
        await interfacesDone(agent(node), node.name, names, timeoutMs, aborted);
      }
    },
    close: () => client.close(),
  };
}

async function interfacesDone(
  agent: AgentClient,
  node: string,
  pods: readonly string[],
  timeoutMs: number,
  aborted: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let reason = 'it does not answer'; ; await sleep(POLL_MS)) {
    aborted.throwIfAborted();
    try {
      const { interfaces } = await agent.status();
      const waiting = pods.filter(
        (pod) => !interfaces.some((row) => row.pod === pod && row.status.state === 'done'),
      );
      if (waiting.length === 0) return;
      const error = interfaces.find((row) => row.status.error !== undefined)?.status.error;
      reason = error ?? `no program yet on ${waiting.join(', ')}`;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      reason = error.message;
    }
    if (performance.now() > deadline) {
      throw new AppError('LAB_NOT_READY', `Cannot bring up the agent of ${node}: ${reason}`, {
        hint: lastWords(`agent-${node}`),
      });
    }
  }
}

interface PodJson {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount?: number }[];
  };
}

/** The lab's own server wrote these objects, so their shape is known. */
function readPods(list: unknown): LabPod[] {
  const { items } = list as { readonly items: readonly PodJson[] };
  const pods = items.map(({ metadata, spec, status = {} }) => ({
    namespace: metadata.namespace,
    name: metadata.name,
    node: spec.nodeName ?? '',
    address: status.podIP ?? '',
    ready:
      status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false,
    restarts: status.containerStatuses?.[0]?.restartCount ?? 0,
  }));
  return pods.sort((a, b) => a.name.localeCompare(b.name));
}
