/**
 * A cache whose pod is made anew, as a rolling update does: the old one ends, its interface goes, the cluster hears of it,
 * and seconds later another comes with another address. The real cache, programs and agent. Needs root.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LocalRedirectPolicyRow, PodRow } from '../../cluster/rows.ts';
import { objectKey } from '../../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../../cluster/snapshot.ts';
import type { Datapath } from '../../datapath/datapath.ts';
import { openDatapath } from '../../datapath/open-datapath.ts';
import { DNS_PORT } from '../../datapath/testing/conformance.ts';
import { silentLog, TestNetwork, type TestPod } from '../../datapath/testing/test-network.ts';
import { SAMPLE_CLUSTER, samplePod } from '../../flow/testing/sample-cluster.ts';
import { createStore, type Store } from '../../store/store.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { type Agent, startNode } from '../agent.ts';
import { createAgentClient } from '../client.ts';
import { POLICY } from '../testing/node-bench.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
/** Of the sample's kube-dns. */
const VIP = '10.96.0.10';
const CLUSTER_SAYS = '192.0.2.30';
const [KNOWN, OTHER] = ['known.example.org', 'other.example.org'];
const PATIENTLY = { timeout: 30_000, interval: 20 };
const SELECTED = { 'k8s-app': 'node-local-dns' };

/** The traffic of this one has nowhere else to go, so that a pod serves until it is told to have gone. */
const BY_ADDRESS: LocalRedirectPolicyRow = {
  ...{
    namespace: 'kube-system',
    name: 'by-address',
    uid: 'a',
    createdAtMs: 0,
    skipRedirectFromBackend: false,
  },
  addressMatcher: { ip: VIP, toPorts: [{ port: '53', name: 'dns', protocol: 'UDP' }] },
  ...{
    backendSelector: { matchLabels: SELECTED, matchExpressions: [] },
    backendPorts: POLICY.backendPorts.slice(0, 1),
  },
};

let network: TestNetwork;
let client: TestPod;
let fallback: TestPod;
let datapath: Datapath;
let agent: Agent;
let snapshot: Store<ClusterSnapshot>;
let scratch: string;
let caches = 0;

function rowOf({ name, address }: TestPod, labels: PodRow['labels'] = {}, deleting = false): PodRow {
  const containerPorts = [{ name: 'dns', port: DNS_PORT, protocol: 'UDP' as const }];
  return samplePod(name, { address, labels, containerPorts, deleting });
}

function publish(
  served: readonly PodRow[],
  policies: readonly LocalRedirectPolicyRow[],
  byService = !policies.includes(BY_ADDRESS),
): void {
  const pods = [rowOf(client), rowOf(fallback), ...served];
  snapshot.set({
    ...SAMPLE_CLUSTER,
    generation: snapshot.get().generation + 1,
    synced: new Set<KindName>([...SAMPLE_CLUSTER.synced, 'networkPolicies']),
    pods: new Map(pods.map((row) => [objectKey(row), row])),
    localRedirectPolicies: new Map(policies.map((row) => [objectKey(row), row])),
    ...(byService ? {} : { services: new Map() }),
  });
}

/** A pod with a cache in it that gives every name this address. */
async function addCache(answer: string): Promise<{ pod: TestPod; end: () => Promise<void> }> {
  const number = ++caches;
  const pod = network.addPod(`cache${number}`, `172.20.0.${100 + number}`);
  const [corefile, hosts] = [join(scratch, `Corefile.${number}`), join(scratch, `hosts.${number}`)];
  writeFileSync(hosts, `${answer} ${KNOWN}\n${answer} ${OTHER}\n`);
  writeFileSync(corefile, `.:53 {\n bind ${pod.address}\n cache 300\n hosts ${hosts} {\n ttl 300\n }\n}\n`);
  const run = `ZEROHOP_RUN_DIR=${join(scratch, `run.${number}`)}`;
  const flags = ['-conf', corefile, '-heartbeat', join(scratch, 'beat', 'beat.sock')];
  const child = network.spawn(pod.netns, 'env', run, process.execPath, MAIN, 'dns', ...flags);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => void (chunk.includes('linux/') && resolve()));
    child.once('exit', (code) => reject(new Error(`The cache ended with ${code}`)));
  });
  return { pod, end: () => network.kill(child) };
}

/** What the client gets, and whether the kernel gave it: everybody else is silent meanwhile. */
function ask(name: string): { answer: string; byKernel: boolean } {
  const before = datapath.counters().answered;
  const answer = network.dig(client, `@${VIP}`, '+time=5', name);
  return { answer, byKernel: datapath.counters().answered === before + 1n };
}

const untilKernelSays = (answer: string) =>
  expect.poll(() => ask(KNOWN), PATIENTLY).toEqual({ answer, byKernel: true });
const untilGone = () => expect.poll(() => datapath.frontends().length, PATIENTLY).toBe(0);

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'zerohop-recreated-'));
  network = new TestNetwork('recreated');
  client = network.addPod('client', '172.20.0.10');
  fallback = network.addPod('fallback', '172.20.0.30');
  network.translate(VIP, fallback.address);
  await network.serve(fallback.netns, fallback.address, CLUSTER_SAYS);
  const pinDirectory = join(network.mountBpffs(), 'node');
  network.enterNode();
  datapath = openDatapath({ pinDirectory, log: silentLog, clock: systemClock, answerEntries: 1000 });
  snapshot = createStore({ ...SAMPLE_CLUSTER, pods: new Map() });
  agent = await startNode({
    ...{
      nodeName: 'k8s-w1',
      datapath,
      snapshot,
      clock: systemClock,
      recordFlows: false,
      kernelAnswers: 1000,
    },
    missing: createStore<ReadonlySet<KindName>>(new Set()),
    socketPath: join(scratch, 'agent.sock'),
    health: { probe: false, heartbeatSocket: join(scratch, 'beat', 'beat.sock') },
    log: {
      ...{ ...silentLog, debug: () => undefined },
      fatal: (text) => {
        throw new Error(text);
      },
    },
  });
});
afterAll(async () => {
  await agent.close();
  datapath.remove();
  await network.close();
  rmSync(scratch, { recursive: true });
});
beforeEach(async () => {
  publish([], []);
  await untilGone();
});

it.each([
  { by: 'service', policy: POLICY },
  { by: 'address', policy: BY_ADDRESS },
])(
  'the cache of a policy by $by: what it left is answered until the next one is there',
  async ({ policy }) => {
    const first = await addCache('192.0.2.1');
    publish([rowOf(first.pod, SELECTED)], [policy]);
    await untilKernelSays('192.0.2.1');

    publish([rowOf(first.pod, SELECTED, true)], [policy]);
    await first.end();
    network.inNode('ip', 'link', 'del', first.pod.ifname);
    // The datapath has seen it before the cluster has told of it.
    await expect.poll(() => datapath.dump().every(({ slots }) => slots.length === 0), PATIENTLY).toBe(true);
    expect(ask(KNOWN)).toEqual({ answer: '192.0.2.1', byKernel: true });
    publish([], [policy]);
    await untilGone();
    expect(ask(KNOWN)).toEqual({ answer: '192.0.2.1', byKernel: true });
    expect(ask(OTHER)).toEqual({ answer: CLUSTER_SAYS, byKernel: false });
    const agentSays = createAgentClient(join(scratch, 'agent.sock'));
    await expect
      .poll(async () => (await agentSays.status()).answers?.shelves, PATIENTLY)
      .toMatchObject([{ state: 'left', lasting: [{ frontend: `${VIP}:53` }] }]);

    const second = await addCache('192.0.2.2');
    expect(ask(KNOWN)).toEqual({ answer: '192.0.2.1', byKernel: true });
    publish([rowOf(second.pod, SELECTED)], [policy]);
    await untilKernelSays('192.0.2.2');
    await expect.poll(() => datapath.shelves().length, PATIENTLY).toBe(1);

    publish([], [policy]);
    await untilGone();
    expect(ask(KNOWN)).toEqual({ answer: '192.0.2.2', byKernel: true });
    publish([], []);
    await expect.poll(() => datapath.dump(), PATIENTLY).toEqual([]);
    expect(ask(KNOWN)).toEqual({ answer: CLUSTER_SAYS, byKernel: false });
    await second.end();
    await expect.poll(() => datapath.shelves(), PATIENTLY).toEqual([]);
  },
);
