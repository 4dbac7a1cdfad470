/**
 * The agent over the real client path: list and watch against the lab's API server on a unix socket, policy, the fake
 * kernel, the agent's own socket. What an operator does with kubectl is done here with the same requests.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Agent, startNode } from '../../src/agent/agent.ts';
import { type AgentClient, createAgentClient } from '../../src/agent/client.ts';
import { createFakeKernel, type FakeKernel, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { type ClusterWatch, startClusterWatch } from '../../src/kube/cluster-watch.ts';
import { endpointConfig } from '../../src/kube/config/load-kube-config.ts';
import { type ApiServer, createApiServer } from '../../src/lab/api/http-server.ts';
import { parseIp } from '../../src/net/ip.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const POLICY = parse(
  readFileSync(new URL('../../src/lab/manifests/lrp-nodelocaldns.yaml', import.meta.url), 'utf8'),
);
const POLICIES = '/apis/cilium.io/v2/namespaces/kube-system/ciliumlocalredirectpolicies';
const KINDS = ['services', 'endpointSlices', 'pods', 'nodes', 'namespaces', 'localRedirectPolicies'] as const;
const log = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  fatal: (text: string): never => {
    throw new Error(text);
  },
};

const directory = () => mkdtempSync(join(tmpdir(), 'zerohop-agent-api-'));
let home: string;
let api: ApiServer;
let listener: Server;
let kube: KubeClient;
let watch: ClusterWatch;
let kernel: FakeKernel;
let agent: Agent;
let client: AgentClient;

beforeEach(async () => {
  home = directory();
  const socket = join(home, 'api.sock');
  api = createApiServer({ clock: systemClock });
  listener = createServer(api.handler);
  await new Promise<void>((resolve) => listener.listen(socket, resolve));
  kube = createKubeClient(endpointConfig(`unix://${socket}`));
  watch = startClusterWatch({ client: kube, kinds: KINDS, log, clock: systemClock, random: Math.random });
  kernel = createFakeKernel();
  const datapath = openFakeDatapath({ kernel, clock: systemClock });
  const { snapshot, missing } = watch;
  const socketPath = join(home, 'agent.sock');
  agent = await startNode({
    nodeName: 'k8s-w1',
    socketPath,
    snapshot,
    missing,
    datapath,
    clock: systemClock,
    log,
  });
  client = createAgentClient(socketPath);
});

afterEach(async () => {
  await agent.close();
  watch.close();
  kube.close();
  api.close();
  listener.closeAllConnections();
  await new Promise((resolve) => listener.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

function applyService(): void {
  api.store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  const port = (name: string, protocol: string) => ({ name, protocol, port: 53, targetPort: 53 });
  api.store.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: 'kube-system' },
    spec: { clusterIP: '10.96.0.10', ports: [port('dns', 'UDP'), port('dns-tcp', 'TCP')] },
  });
}

function applyCachePod(address: string, ready: boolean): void {
  const address4 = parseIp(address);
  if (address4 !== undefined) kernel.interfaces.set(address4, { ifindex: 7, ifname: 'lxc7' });
  const name = 'node-local-dns-dwrcm';
  const port = (portName: string, protocol: string) => ({ name: portName, protocol, containerPort: 53 });
  api.store.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'kube-system', labels: { 'k8s-app': 'node-local-dns' } },
    spec: {
      nodeName: 'k8s-w1',
      containers: [{ name: 'c', ports: [port('dns', 'UDP'), port('dns-tcp', 'TCP')] }],
    },
  });
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  const status = { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions };
  api.store.replaceStatus({ kind: 'Pod', namespace: 'kube-system', name }, status);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(condition, { interval: 5 }).toBe(true);
}

it('redirects from kubectl apply on, follows the pod, and lets go with kubectl delete', async () => {
  applyService();
  applyCachePod('172.20.1.9', true);
  await kube.create(POLICIES, POLICY);
  await until(() => kernel.frontends.size === 2);
  const { realised, table } = await client.lrp();
  expect(realised).toMatchObject([{ policy: 'kube-system/nodelocaldns', state: 'done' }]);
  expect(table.policies[0]?.frontendType).toBe('clusterIP + all svc ports');
  await kube.delete(`${POLICIES}/nodelocaldns`);
  await until(() => kernel.frontends.size === 0);
});

it('falls back while the cache is not ready', async () => {
  applyService();
  applyCachePod('172.20.1.9', true);
  await kube.create(POLICIES, POLICY);
  await until(() => kernel.frontends.size === 2);
  applyCachePod('172.20.1.9', false);
  await until(() => kernel.frontends.size === 0);
  expect((await client.lrp()).table.policies[0]?.state).toBe('waiting');
  applyCachePod('172.20.1.9', true);
  await until(() => kernel.frontends.size === 2);
});

it('keeps what it did while the API server is away', async () => {
  applyService();
  applyCachePod('172.20.1.9', true);
  await kube.create(POLICIES, POLICY);
  await until(() => kernel.frontends.size === 2);
  api.close();
  listener.closeAllConnections();
  await new Promise((resolve) => listener.close(resolve));
  await sleep(50);
  expect(kernel.frontends.size).toBe(2);
  expect((await client.status()).policies).toMatchObject([{ state: 'done' }]);
});
