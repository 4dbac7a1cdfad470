/**
 * Who gets answers from the kernel, over the real client path: what `kubectl` applies reaches the interface of the pod, and an
 * API server that refuses to list network policies leaves everybody without.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Agent, startNode } from '../../src/agent/agent.ts';
import { type AgentClient, createAgentClient } from '../../src/agent/client.ts';
import type { KindName } from '../../src/cluster/snapshot.ts';
import type { Datapath } from '../../src/datapath/datapath.ts';
import { createFakeKernel, openFakeDatapath } from '../../src/datapath/fake-datapath.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { type ClusterWatch, startClusterWatch } from '../../src/kube/cluster-watch.ts';
import { endpointConfig } from '../../src/kube/config/load-kube-config.ts';
import { createHeardLog, type HeardLog } from '../../src/kube/testing/scripted-server.ts';
import { type ApiServer, createApiServer } from '../../src/lab/api/http-server.ts';
import { parseIp } from '../../src/net/ip.ts';
import { systemClock } from '../../src/telemetry/clock.ts';

const POLICIES = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies';
const KINDS: readonly KindName[] = [
  ...(['services', 'endpointSlices', 'pods', 'nodes', 'namespaces', 'localRedirectPolicies'] as const),
  'networkPolicies',
];
const CLOSED = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'closed', namespace: 'default' },
  spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Egress'] },
};
const OPENED = {
  ...CLOSED,
  metadata: { name: 'dns', namespace: 'default' },
  spec: {
    podSelector: {},
    policyTypes: ['Egress'],
    egress: [
      {
        to: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
            podSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } },
          },
        ],
        ports: [{ protocol: 'UDP', port: 53 }],
      },
    ],
  },
};

let home: string;
let api: ApiServer;
let listener: Server;
let kube: KubeClient;
let watch: ClusterWatch;
let datapath: Datapath;
let agent: Agent;
let client: AgentClient;
let log: HeardLog;
/** The API server refuses to tell of network policies. */
let refused: boolean;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'zerohop-answers-'));
  refused = false;
  const socket = join(home, 'api.sock');
  api = createApiServer({ clock: systemClock });
  listener = createServer((req, res) => {
    if (refused && req.url?.startsWith('/apis/networking.k8s.io/v1/networkpolicies') === true) {
      const status = { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403 };
      res.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(status));
    } else api.handler(req, res);
  });
  await new Promise<void>((resolve) => listener.listen(socket, resolve));
  kube = createKubeClient(endpointConfig(`unix://${socket}`));
  log = createHeardLog();
});

afterEach(async () => {
  await agent.close();
  watch.close();
  datapath.close();
  kube.close();
  api.close();
  listener.closeAllConnections();
  await new Promise((resolve) => listener.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

async function startAgent(): Promise<void> {
  watch = startClusterWatch({ client: kube, kinds: KINDS, log, clock: systemClock, random: () => 0 });
  const kernel = createFakeKernel();
  for (const [index, text] of ['172.20.1.5', '172.20.1.9'].entries()) {
    const address = parseIp(text);
    if (address !== undefined) kernel.interfaces.set(address, { ifindex: index + 7, ifname: `lxc${index}` });
  }
  datapath = openFakeDatapath({ kernel, clock: systemClock });
  const { snapshot, missing } = watch;
  agent = await startNode({
    ...{ nodeName: 'k8s-w1', socketPath: join(home, 'agent.sock'), snapshot, missing, datapath, log },
    ...{ clock: systemClock, kernelAnswers: 1000 },
    failing: () => [...watch.stats()].flatMap(([kind, { failing }]) => (failing ? [kind] : [])),
  });
  client = createAgentClient(join(home, 'agent.sock'));
}

function applyCluster(): void {
  const port = { name: 'dns', protocol: 'UDP' };
  for (const name of ['default', 'kube-system'])
    api.store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  api.store.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: 'kube-system' },
    spec: { clusterIP: '10.96.0.10', ports: [{ ...port, port: 53, targetPort: 53 }] },
  });
  const ports = [{ ...port, containerPort: 53 }];
  applyPod(
    { namespace: 'kube-system', name: 'cache', labels: { 'k8s-app': 'node-local-dns' } },
    '172.20.1.9',
    ports,
  );
  applyPod({ namespace: 'default', name: 'web', labels: { app: 'web' } }, '172.20.1.5', []);
  api.store.apply({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumLocalRedirectPolicy',
    metadata: { name: 'nodelocaldns', namespace: 'kube-system' },
    spec: {
      redirectFrontend: { serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system' } },
      redirectBackend: {
        localEndpointSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } },
        toPorts: [{ port: '53', name: 'dns', protocol: 'UDP' }],
      },
    },
  });
}

interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

function applyPod(metadata: Metadata, address: string, ports: readonly object[]): void {
  const spec = { nodeName: 'k8s-w1', containers: [{ name: 'c', ports }] };
  api.store.apply({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
  const conditions = [{ type: 'Ready', status: 'True' }];
  api.store.replaceStatus(
    { kind: 'Pod', ...metadata },
    { phase: 'Running', podIP: address, podIPs: [{ ip: address }], conditions },
  );
}

async function annotate(word: string | null): Promise<void> {
  const annotations = { 'zerohop.io/kernel-answers': word };
  await kube.patch('/api/v1/namespaces/default/pods/web', { metadata: { annotations } });
}

const answered = () => datapath.interfaces().some(({ pod, answers }) => pod === 'default/web' && answers);

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 1, timeout: 20_000 }).toBe(true);
}

it('follows policies, labels and annotations as they are applied and deleted', async () => {
  applyCluster();
  await startAgent();
  await until(answered);
  await kube.create(POLICIES, CLOSED);
  await until(() => !answered());
  await kube.create(POLICIES, OPENED);
  await until(answered);
  await kube.patch('/api/v1/namespaces/kube-system/pods/cache', {
    metadata: { labels: { 'k8s-app': 'node-local-dns', x: 'y' } },
  });
  await kube.delete(`${POLICIES}/dns`);
  await until(() => !answered());
  await annotate('allow');
  await until(answered);
  await annotate('maybe');
  await until(() => !answered());
  await kube.delete(`${POLICIES}/closed`);
  await annotate(null);
  await until(answered);
});

it('answers nobody where network policies may not be listed, but those that say so, and says it', async () => {
  applyCluster();
  refused = true;
  await startAgent();
  await until(() => datapath.frontends().length > 0 && datapath.interfaces().length > 0);
  await until(() => log.lines.some((line) => line.includes('networkpolicies.networking.k8s.io')));
  expect(answered()).toBe(false);
  const status = await client.status();
  expect(status.failing).toContain('networkPolicies');
  expect(status.waitingFor).toContain('networkPolicies');
  await annotate('allow');
  await until(answered);
  await annotate(null);
  await until(() => !answered());
  refused = false;
  await until(answered);
});
