/**
 * Brings the lab up, in order: what the machine must offer, what an earlier lab left, files, wires, control plane,
 * agents, pods. The caller owns the running lab and must call `down`, whatever happened.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../fault/app-error.ts';
import { makeCertificates } from './certificates.ts';
import { runCommand } from './command.ts';
import { lastWords } from './exec.ts';
import { type LabApi, openLabApi } from './lab-api.ts';
import { clusterManifests } from './manifests.ts';
import { buildNodes } from './network.ts';
import type { Container } from './node/container.ts';
import { startDaemon } from './node/daemon.ts';
import { forwardTo } from './node/forward.ts';
import { claimLab } from './owner.ts';
import { assertLabPossible } from './preflight.ts';
import type { Progress } from './progress.ts';
import { clearAway, tearDown } from './teardown.ts';
import {
  agentSocket,
  CONTROL_NODE,
  heartbeatSocket,
  hubbleAddress,
  hubbleSocket,
  INTERNET,
  KUBECTL_PORT,
  LAB_DIRECTORY,
  LAB_PATHS,
  LAB_PREFIX,
  type LabNode,
  NODES,
  nodeNamespace,
  RELAY_PORT,
  relayAddress,
} from './topology.ts';

const READY_TIMEOUT_MS = 40_000;
const POLL_MS = 50;
/** Names that each cache may have in the answer map. */
const KERNEL_ANSWERS = 10_000;

export interface Lab {
  readonly api: LabApi;
  /** For kubectl: `http://127.0.0.1:18080`. */
  readonly server: string;
  /** For a stock hubble: `127.0.0.1:4245`. */
  readonly relay: string;
  /** Takes everything away; idempotent. */
  down(): Promise<void>;
}

/** Throws an AppError when the machine cannot run it or it does not come up; what was begun is taken away again. */
export async function bringUp(progress: Progress, aborted: AbortSignal): Promise<Lab> {
  assertLabPossible();
  claimLab();
  try {
    return await build(progress, aborted);
  } catch (error) {
    await tearDown();
    throw error;
  }
}

async function build(progress: Progress, aborted: AbortSignal): Promise<Lab> {
  const step = async <T>(text: string, work: () => Promise<T>): Promise<T> => {
    aborted.throwIfAborted();
    return progress.step(text, work);
  };
  await clearAway();
  await step('certificates, file systems', prepareFiles);
  await step('nodes k8s-ctr and k8s-w1, joined by a router', buildNodes);
  await step('API server, kubelets, kube-proxy, internet', startControlPlane);
  const api = openLabApi(LAB_PATHS.api);
  aborted.addEventListener('abort', () => api.close());
  for (const node of NODES) startAgent(node);
  startRelay();
  await step('pods: coredns ×2, node-local-dns ×2, netshoot, curl-pod', () => allPodsReady(api, aborted));
  await step('agents: programs on every pod interface', () => api.agentsReady(READY_TIMEOUT_MS, aborted));
  const kubectl = await forwardTo(LAB_PATHS.api, KUBECTL_PORT);
  const hubble = await forwardTo(LAB_PATHS.relay, RELAY_PORT);
  return {
    api,
    server: `http://${kubectl.address}`,
    relay: hubble.address,
    async down() {
      kubectl.close();
      hubble.close();
      api.close();
      await tearDown();
    },
  };
}

async function prepareFiles(): Promise<void> {
  mkdirSync(LAB_DIRECTORY, { recursive: true });
  await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=256m,mode=0700', 'zerohop-lab', LAB_DIRECTORY]);
  const { api: _, relay: __, ...directories } = LAB_PATHS;
  for (const directory of Object.values(directories)) mkdirSync(directory);
  await runCommand('mount', ['-t', 'bpf', 'zerohop-lab', LAB_PATHS.bpf]);
  chmodSync(LAB_PATHS.bpf, 0o700);
  for (const node of NODES) mkdirSync(`${LAB_PATHS.bpf}/${node.name}`);
  await makeCertificates();
}

async function startControlPlane(): Promise<void> {
  startDaemon({ name: 'internet', namespace: `${LAB_PREFIX}${INTERNET.name}`, args: ['lab', 'internet'] });
  startDaemon({ name: 'control', namespace: nodeNamespace(CONTROL_NODE), args: ['lab', 'control'] });
  await socketAnswers(LAB_PATHS.api);
}

/** Starts the node's agent, with flags of its own besides; it says when it is ready by answering. The lab's end ends it. */
export function startAgent(node: LabNode, flags: readonly string[] = []): Container {
  return startDaemon({
    name: `agent-${node.name}`,
    namespace: nodeNamespace(node),
    args: [
      'agent',
      ...['--node-name', node.name],
      ...['--api-server', `unix://${LAB_PATHS.api}`],
      ...['--socket', agentSocket(node)],
      ...['--heartbeat-socket', heartbeatSocket(node)],
      ...['--hubble-socket-path', hubbleSocket(node)],
      ...['--hubble-listen-address', hubbleAddress(node), '--hubble-disable-tls'],
      ...['--bpf-directory', `${LAB_PATHS.bpf}/${node.name}`],
      ...['--kernel-answers', String(KERNEL_ANSWERS)],
      ...flags,
    ],
  });
}

/** Nobody waits for it: a relay asks for its nodes until they are there. */
function startRelay(): void {
  startDaemon({
    name: 'relay',
    namespace: nodeNamespace(CONTROL_NODE),
    args: [
      'relay',
      ...['--listen-address', `unix://${LAB_PATHS.relay},${relayAddress()}`],
      ...['--peer-service', `unix://${hubbleSocket(CONTROL_NODE)}`],
      ...['--disable-server-tls', '--disable-client-tls'],
    ],
  });
}

async function allPodsReady(api: LabApi, aborted: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  // Before all are there, none that is missing can be not ready.
  const expected = clusterManifests().filter(({ kind }) => kind === 'Pod').length;
  for (;;) {
    aborted.throwIfAborted();
    const pods = await api.pods();
    const waiting = pods.filter((pod) => !pod.ready).map((pod) => pod.name);
    if (pods.length >= expected && waiting.length === 0) return;
    if (performance.now() > deadline) {
      throw new AppError('LAB_NOT_READY', `Cannot bring up the lab: not ready: ${waiting.join(', ')}`, {
        hint: lastWords(waiting[0] ?? 'control'),
      });
    }
    await sleep(POLL_MS);
  }
}

async function socketAnswers(path: string): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connectSocket(path, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (answered) return;
    if (performance.now() > deadline) {
      throw new AppError('LAB_NOT_READY', `Cannot bring up the lab: nothing answers on ${path}`, {
        hint: lastWords('control'),
      });
    }
    await sleep(POLL_MS);
  }
}
