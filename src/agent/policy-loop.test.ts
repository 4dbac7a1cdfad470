/** What reaches the datapath, and what does not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalRedirectPolicyRow, PodRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { createFakeKernel, type FakeDatapath, openFakeDatapath } from '../datapath/fake-datapath.ts';
import { ip, SAMPLE_CLUSTER } from '../flow/testing/sample-cluster.ts';
import { createManualClock, type ManualClock } from '../kube/testing/manual-clock.ts';
import { createDeriver } from '../policy/deriver.ts';
import { createStore, type Store } from '../store/store.ts';
import { PolicyLoop } from './policy-loop.ts';

const POLICY: LocalRedirectPolicyRow = {
  ...{ namespace: 'kube-system', name: 'nodelocaldns', uid: 'u', createdAtMs: 0 },
  skipRedirectFromBackend: false,
  serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system', toPorts: [] },
  backendSelector: { matchLabels: { 'k8s-app': 'node-local-dns' }, matchExpressions: [] },
  backendPorts: [
    { port: '53', name: 'dns', protocol: 'UDP' },
    { port: '53', name: 'dns-tcp', protocol: 'TCP' },
  ],
};

let clock: ManualClock;
let store: Store<ClusterSnapshot>;
let datapath: FakeDatapath;
let loop: PolicyLoop;
/** One line for each write, as an operator sees them. */
let writes: string[];

beforeEach(() => {
  clock = createManualClock();
  store = createStore(EMPTY_SNAPSHOT);
  writes = [];
  const kernel = createFakeKernel();
  for (const [index, address] of ['172.20.1.5', '172.20.1.9'].entries()) {
    kernel.interfaces.set(ip(address), { ifindex: index + 7, ifname: `veth${index}` });
  }
  datapath = openFakeDatapath({ kernel, clock });
  loop = new PolicyLoop({
    ...{ nodeName: 'k8s-w1', snapshot: store, datapath, clock },
    createDeriver: () => createDeriver({ nodeName: 'k8s-w1' }),
    log: { debug: (text) => writes.push(text), error: (text) => writes.push(text) },
  });
  loop.start();
});
afterEach(() => {
  loop.close();
  datapath.close();
});

/** Publishes, and lets the loop's rest pass. */
async function publish(change: Partial<ClusterSnapshot>): Promise<void> {
  await loop.settled();
  store.set({ ...store.get(), ...change, generation: store.get().generation + 1 });
  await loop.settled();
  clock.advance(1_000);
  await loop.settled();
}

function withPod(name: string, change: Partial<PodRow>): Pick<ClusterSnapshot, 'pods'> {
  const { pods } = store.get();
  const found = [...pods].find(([, pod]) => pod.name === name);
  if (found === undefined) throw new Error(`No pod ${name}`);
  return { pods: new Map(pods).set(found[0], { ...found[1], ...change }) };
}

describe('PolicyLoop', () => {
  it('writes what redirects need, and nothing for a change that touches none', async () => {
    const policies = new Map([['kube-system/nodelocaldns', POLICY]]);
    await publish({ ...SAMPLE_CLUSTER, localRedirectPolicies: policies });
    expect(datapath.frontends()).toHaveLength(2);
    const before = { writes: writes.length, redirects: loop.table.redirects };
    const elsewhere = [...store.get().pods.values()].find(({ nodeName }) => nodeName !== 'k8s-w1');
    await publish(withPod(elsewhere?.name ?? '', { ready: false }));
    await publish({ endpointSlices: new Map() });
    await publish({ services: new Map(store.get().services) });
    expect(writes).toHaveLength(before.writes);
    expect(loop.table.redirects).toBe(before.redirects);
  });

  it('follows a pod of this node', async () => {
    await publish({
      ...SAMPLE_CLUSTER,
      localRedirectPolicies: new Map([['kube-system/nodelocaldns', POLICY]]),
    });
    const [backend] = datapath.frontends()[0]?.frontend.backends ?? [];
    const name = (backend?.pod ?? '').split('/')[1] ?? '';
    await publish(withPod(name, { ready: false }));
    expect(datapath.frontends()).toEqual([]);
    await publish(withPod(name, { ready: true }));
    expect(datapath.frontends()).toHaveLength(2);
  });
});
