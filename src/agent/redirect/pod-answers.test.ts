/** Which pods get answers from the kernel, as the datapath is told it, and the words for those that do not. */
import { describe, expect, it } from 'vitest';
import type { AnswerWish, NetworkPolicyRow, PodRow, RedirectWish } from '../../cluster/rows.ts';
import { objectKey } from '../../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../../cluster/snapshot.ts';
import type { DatapathSpec } from '../../datapath/datapath.ts';
import { createFakeKernel, openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { ip, SAMPLE_CLUSTER } from '../../flow/testing/sample-cluster.ts';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import { createDeriver } from '../../policy/deriver.ts';
import { createStore } from '../../store/store.ts';
import { PolicyLoop } from '../policy-loop.ts';
import { WantedState } from '../wanted-state.ts';
import type { AnswerRule } from './pod-answers.ts';

const NODE = 'k8s-w1';
const POD = 'default/netshoot';
const DIRECT: AnswerRule = { delivery: 'direct' };
const STACK: AnswerRule = { delivery: 'stack' };

const LRP = {
  ...{ namespace: 'kube-system', name: 'nodelocaldns', uid: 'u', createdAtMs: 0 },
  skipRedirectFromBackend: false,
  serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system', toPorts: [] },
  backendSelector: { matchLabels: { 'k8s-app': 'node-local-dns' }, matchExpressions: [] },
  backendPorts: [
    { port: '53', name: 'dns', protocol: 'UDP' },
    { port: '53', name: 'dns-tcp', protocol: 'TCP' },
  ],
};

const CLUSTER: ClusterSnapshot = {
  ...SAMPLE_CLUSTER,
  synced: new Set<KindName>([...SAMPLE_CLUSTER.synced, 'networkPolicies']),
  localRedirectPolicies: new Map([[objectKey(LRP), LRP]]),
};

function closing(change: Partial<NetworkPolicyRow> = {}): ClusterSnapshot['networkPolicies'] {
  const row: NetworkPolicyRow = {
    ...{ namespace: 'default', name: 'closed', uid: 'n', createdAtMs: 0 },
    podSelector: { matchLabels: {}, matchExpressions: [] },
    egress: [],
    ...change,
  };
  return new Map([[objectKey(row), row]]);
}

interface Wishes {
  readonly pod?: AnswerWish;
  readonly namespace?: AnswerWish;
  readonly redirect?: RedirectWish;
}

function annotated({ pod: wish, namespace: wide, redirect }: Wishes): ClusterSnapshot {
  const pod = CLUSTER.pods.get(POD);
  const namespace = CLUSTER.namespaces.get('/default');
  if (pod === undefined || namespace === undefined) throw new Error('the sample has no such pod');
  const wished: PodRow = { ...pod, ...(wish && { kernelAnswers: wish }), ...(redirect && { redirect }) };
  return {
    ...CLUSTER,
    pods: new Map(CLUSTER.pods).set(POD, wished),
    namespaces: new Map(CLUSTER.namespaces).set('/default', {
      ...namespace,
      ...(wide && { kernelAnswers: wide }),
    }),
  };
}

function decided(
  snapshot: ClusterSnapshot,
  rule: AnswerRule,
): { answers: boolean; reason?: string | undefined } {
  const wanted = new WantedState(NODE, 'annotated', rule);
  const spec = wanted.update(snapshot, createDeriver({ nodeName: NODE }).update(snapshot), 0);
  const found = spec.pods.find(({ pod }) => pod === POD);
  return { answers: found?.answers ?? false, reason: wanted.answerRefusals.get(POD) };
}

const STACK_REASON = /through the stack.* no annotation zerohop.io\/kernel-answers is allow/;

describe('a pod gets answers from the kernel', () => {
  it.each([
    { name: 'where nothing speaks against it', snapshot: CLUSTER, rule: DIRECT },
    { name: 'by its own annotation', snapshot: annotated({ pod: 'allow' }), rule: STACK },
    { name: 'by that of its namespace', snapshot: annotated({ namespace: 'allow' }), rule: STACK },
    {
      name: 'by annotation, whatever closes it',
      snapshot: { ...annotated({ pod: 'allow' }), networkPolicies: closing() },
      rule: DIRECT,
    },
    {
      name: 'by annotation, where policies may not be listed',
      snapshot: { ...annotated({ pod: 'allow' }), synced: SAMPLE_CLUSTER.synced },
      rule: DIRECT,
    },
    {
      name: 'under a policy of another namespace',
      snapshot: { ...CLUSTER, networkPolicies: closing({ namespace: 'kube-system' }) },
      rule: DIRECT,
    },
  ])('$name', ({ snapshot, rule }) => {
    expect(decided(snapshot, rule)).toEqual({ answers: true, reason: undefined });
  });
});

describe('a pod gets none, and it is told why,', () => {
  it.each([
    { name: 'where packets go through the stack', snapshot: CLUSTER, rule: STACK, reason: STACK_REASON },
    {
      name: 'by its own annotation',
      snapshot: annotated({ pod: 'deny', namespace: 'allow' }),
      rule: DIRECT,
      reason: /of the pod is deny/,
    },
    {
      name: 'by that of its namespace',
      snapshot: annotated({ pod: 'allow', namespace: 'deny' }),
      rule: DIRECT,
      reason: /of its namespace is deny/,
    },
    {
      name: 'by a word that is neither',
      snapshot: annotated({ pod: 'unreadable', namespace: 'allow' }),
      rule: DIRECT,
      reason: /of the pod is neither allow nor deny/,
    },
    {
      name: 'where it is not redirected',
      snapshot: annotated({ pod: 'allow', redirect: 'deny' }),
      rule: DIRECT,
      reason: /zerohop.io\/redirect is deny/,
    },
    {
      name: 'under a policy that closes it',
      snapshot: { ...CLUSTER, networkPolicies: closing() },
      rule: DIRECT,
      reason: /^network policy default\/closed does not plainly allow UDP to 10.96.0.10:53$/,
    },
    {
      name: 'where policies could not be listed',
      snapshot: { ...CLUSTER, synced: SAMPLE_CLUSTER.synced },
      rule: DIRECT,
      reason: /^network policies could not be listed/,
    },
    {
      name: 'while its namespace has not been heard of',
      snapshot: { ...CLUSTER, namespaces: new Map() },
      rule: DIRECT,
      reason: /^its namespace has not been heard of$/,
    },
  ])('$name', ({ snapshot, rule, reason }) => {
    expect(decided(snapshot, rule)).toEqual({ answers: false, reason: expect.stringMatching(reason) });
  });

  it('and nothing is said where answers are off', () => {
    const wanted = new WantedState(NODE);
    const { pods } = wanted.update(CLUSTER, createDeriver({ nodeName: NODE }).update(CLUSTER), 0);
    expect(pods.map((pod) => 'answers' in pod)).toEqual([false, false, false]);
    expect(wanted.answerRefusals.size).toBe(0);
  });
});

describe('PolicyLoop', () => {
  it('tells the datapath of a policy that begins to forbid, and of one that ends, and nothing of others', async () => {
    const clock = createManualClock();
    const kernel = createFakeKernel();
    for (const [index, address] of ['172.20.1.5', '172.20.1.9', '172.20.1.99'].entries())
      kernel.interfaces.set(ip(address), { ifindex: index + 7, ifname: `veth${index}` });
    const datapath = openFakeDatapath({ kernel, clock });
    const store = createStore<ClusterSnapshot>(CLUSTER);
    let written = 0;
    const loop = new PolicyLoop({
      ...{ nodeName: NODE, snapshot: store, datapath, clock, answers: DIRECT },
      createDeriver: () => createDeriver({ nodeName: NODE }),
      onApplied: () => written++,
      log: { debug: () => undefined, error: (text) => expect.fail(text) },
    });
    loop.start();
    const publish = async (networkPolicies: ClusterSnapshot['networkPolicies']) => {
      store.set({ ...store.get(), generation: store.get().generation + 1, networkPolicies });
      await loop.settled();
      clock.advance(1_000);
      await loop.settled();
    };
    const answered = () =>
      datapath
        .interfaces()
        .filter(({ answers }) => answers)
        .map(({ pod }) => pod);
    await loop.settled();
    clock.advance(1_000);
    expect([...loop.answerRefusals.keys()]).toEqual([]);
    expect(answered()).toContain(POD);
    await publish(closing());
    expect(answered()).not.toContain(POD);
    expect([...loop.answerRefusals.keys()]).toEqual([POD]);
    const before = written;
    await publish(closing({ egress: [{ ports: [] }] }));
    expect(written).toBe(before);
    await publish(new Map());
    expect(answered()).toContain(POD);
    expect(loop.answerRefusals.size).toBe(0);
    loop.close();
    datapath.close();
  });

  const SELECTING = closing({ podSelector: { matchLabels: { tier: 'closed' }, matchExpressions: [] } });
  const labelled = (): Partial<ClusterSnapshot> => {
    const pod = CLUSTER.pods.get(POD);
    if (pod === undefined) throw new Error('the sample has no such pod');
    return { pods: new Map(CLUSTER.pods).set(POD, { ...pod, labels: { ...pod.labels, tier: 'closed' } }) };
  };
  const ends: readonly { name: string; change: Partial<ClusterSnapshot> }[] = [
    { name: 'a network policy', change: { networkPolicies: closing() } },
    { name: 'a no of the pod', change: { pods: annotated({ pod: 'deny' }).pods } },
    { name: 'a no of its namespace', change: { namespaces: annotated({ namespace: 'deny' }).namespaces } },
    { name: 'a label that brings it under a policy', change: labelled() },
    { name: 'the end of what it was redirected by', change: { pods: annotated({ redirect: 'deny' }).pods } },
    { name: 'policies that may not be listed any more', change: { synced: SAMPLE_CLUSTER.synced } },
  ];
  it.each(ends)(
    'lets $name wait no 100 ms, whatever rest the derivation before has earned',
    async ({ change }) => {
      const clock = createManualClock();
      const kernel = createFakeKernel();
      kernel.interfaces.set(ip('172.20.1.5'), { ifindex: 7, ifname: 'veth0' });
      const datapath = openFakeDatapath({ kernel, clock });
      const store = createStore<ClusterSnapshot>({ ...CLUSTER, networkPolicies: SELECTING });
      let derived = 0;
      const loop = new PolicyLoop({
        ...{ nodeName: NODE, snapshot: store, datapath, clock, answers: DIRECT },
        createDeriver: () => {
          const deriver = createDeriver({ nodeName: NODE });
          return {
            update(snapshot) {
              derived++;
              if (derived === 1) clock.advance(300);
              return deriver.update(snapshot);
            },
          };
        },
        log: { debug: () => undefined, error: (text) => expect.fail(text) },
      });
      loop.start();
      await loop.settled();
      const isAnswered = () => datapath.interfaces().find(({ pod }) => pod === POD)?.answers;
      expect(isAnswered()).toBe(true);
      const { generation, pods } = store.get();
      store.set({ ...store.get(), generation: generation + 1, pods: new Map(pods) });
      clock.advance(99);
      await loop.settled();
      expect(derived).toBe(1);
      store.set({ ...store.get(), generation: generation + 2, ...change });
      clock.advance(99);
      await loop.settled();
      expect(isAnswered()).toBe(false);
      loop.close();
      datapath.close();
    },
  );

  it('does not wait for interfaces that the kernel is attaching to, nor hear of it when that fails', async () => {
    const clock = createManualClock();
    const store = createStore<ClusterSnapshot>(CLUSTER);
    const writes: (PromiseWithResolvers<void> & { readonly spec: DatapathSpec })[] = [];
    /** Attaches for as long as the test likes. */
    const datapath = {
      apply(spec: DatapathSpec) {
        const write = { ...Promise.withResolvers<void>(), spec };
        writes.push(write);
        return write.promise;
      },
    };
    const errors: string[] = [];
    const loop = new PolicyLoop({
      ...{ nodeName: NODE, snapshot: store, datapath, clock, answers: DIRECT },
      createDeriver: () => createDeriver({ nodeName: NODE }),
      log: { debug: () => undefined, error: (text) => errors.push(text) },
    });
    const answers = () => writes.at(-1)?.spec.pods.find(({ pod }) => pod === POD)?.answers;
    loop.start();
    expect(answers()).toBe(true);
    store.set({ ...store.get(), generation: store.get().generation + 1, networkPolicies: closing() });
    clock.advance(99);
    expect([writes.length, answers()]).toEqual([2, undefined]);
    writes[0]?.reject(new Error('too late'));
    writes[1]?.resolve();
    await loop.settled();
    clock.advance(10_000);
    expect([writes.length, loop.lastError, errors]).toEqual([2, undefined, []]);
    store.set({ ...store.get(), generation: store.get().generation + 1, networkPolicies: new Map() });
    clock.advance(99);
    writes[2]?.reject(new Error('no memory'));
    await loop.settled();
    expect(loop.lastError).toContain('no memory');
    clock.advance(10_000);
    expect([writes.length, answers()]).toEqual([4, true]);
    writes[3]?.resolve();
    await loop.settled();
    expect(loop.lastError).toBeUndefined();
    loop.close();
  });
});
