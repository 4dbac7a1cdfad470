/** A node of the sample cluster with a policy and the caches behind it: what its programs would read, without a kernel. */
import { ANSWER_LAYOUT } from '../../../answermap/answer-abi.gen.ts';
import type { LocalRedirectPolicyRow, NetworkPolicyRow } from '../../../cluster/rows.ts';
import { objectKey } from '../../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../../../cluster/snapshot.ts';
import { createFakeKernel, openFakeDatapath } from '../../../datapath/fake-datapath.ts';
import { DNS_PORT } from '../../../datapath/testing/conformance.ts';
import { ip, SAMPLE_CLUSTER, samplePod } from '../../../flow/testing/sample-cluster.ts';
import type { Hello } from '../../../heartbeat/messages.ts';
import { createDeriver } from '../../../policy/deriver.ts';
import { createStore } from '../../../store/store.ts';
import { VirtualClock } from '../../../telemetry/virtual-clock.ts';
import type { CacheRow } from '../../health/cache-desk.ts';
import { withoutRedirects } from '../../observe-only.ts';
import { PolicyLoop } from '../../policy-loop.ts';
import { POLICY } from '../../testing/node-bench.ts';
import { NodeAnswers } from '../node-answers.ts';

const NODE = 'k8s-w1';
export const VIP = '10.96.0.10';
const CLIENT = 'default/netshoot';
const OLD = 'kube-system/node-local-dns-w1';
export const ADDRESS = '172.20.1.9';
export const NEXT_ADDRESS = '172.20.1.20';
const NEXT = samplePod('node-local-dns-new', {
  ...{ address: NEXT_ADDRESS, labels: { 'k8s-app': 'node-local-dns' } },
  containerPorts: SAMPLE_CLUSTER.pods.get(OLD)?.containerPorts ?? [],
});
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;

/** Another object of the name, as one that was deleted and made again. */
export const MADE_AGAIN = { ...POLICY, uid: 'again' };
/** It still stands, and has no frontend for UDP any more. */
export const TCP_ALONE: LocalRedirectPolicyRow = {
  ...POLICY,
  backendPorts: POLICY.backendPorts.filter(({ protocol }) => protocol === 'TCP'),
};
export const ELDER: LocalRedirectPolicyRow = {
  ...{ ...POLICY, name: 'elder', uid: 'elder', createdAtMs: -1 },
  backendSelector: { matchLabels: { app: 'nobody' }, matchExpressions: [] },
};

export const policies = (...rows: readonly LocalRedirectPolicyRow[]) => ({
  localRedirectPolicies: new Map(rows.map((row) => [objectKey(row), row])),
});
export const network = (...egress: NetworkPolicyRow['egress']): Partial<ClusterSnapshot> => {
  const row = { namespace: 'default', name: 'some', uid: 'n', createdAtMs: 0 };
  const podSelector = { matchLabels: {}, matchExpressions: [] };
  return { networkPolicies: new Map([['default/some', { ...row, podSelector, egress }]]) };
};

export class Bench {
  readonly kernel = createFakeKernel();
  readonly clock = new VirtualClock();
  readonly store = createStore<ClusterSnapshot>(EMPTY_SNAPSHOT);
  readonly datapath = openFakeDatapath({ kernel: this.kernel, clock: this.clock, answerEntries: 1000 });
  readonly loop: PolicyLoop;
  readonly answers: NodeAnswers;
  #caches: readonly CacheRow[] = [];

  constructor({ answers = true, observeOnly = false } = {}) {
    const { kernel, clock, datapath, store } = this;
    for (const [i, address] of ['172.20.1.5', ADDRESS, NEXT_ADDRESS, '172.20.1.99'].entries())
      kernel.interfaces.set(ip(address), { ifindex: i + 7, ifname: `veth${i}` });
    this.loop = new PolicyLoop({
      ...{ nodeName: NODE, snapshot: store, datapath, clock },
      ...(answers && { answers: { delivery: 'direct' as const } }),
      createDeriver: () => {
        const deriver = createDeriver({ nodeName: NODE });
        return observeOnly ? withoutRedirects(deriver) : deriver;
      },
      onApplied: () => this.answers.sync(),
      log: {
        debug: () => undefined,
        error: (text) => {
          throw new Error(text);
        },
      },
    });
    const log = { info: () => undefined, warning: () => undefined };
    const answering = () => this.loop.answering;
    const caches = () => this.#caches;
    this.answers = new NodeAnswers({ datapath, clock, log, wanted: 1000, caches, answering });
    this.answers.stopAwaitingOwners();
    this.loop.start();
  }

  /** Redirected to the old cache, which has left answers. */
  static async begun(options = {}): Promise<Bench> {
    const bench = new Bench(options);
    const synced = new Set([...SAMPLE_CLUSTER.synced, 'networkPolicies' as const]);
    await bench.publish({ ...SAMPLE_CLUSTER, ...policies(POLICY), synced });
    bench.join(1, ADDRESS);
    return bench;
  }

  /** A second later, so that the loop has had its rest and acts at once. */
  async publish(change: Partial<ClusterSnapshot>): Promise<void> {
    await this.pass(SECOND);
    this.store.set({ ...this.store.get(), ...change, generation: this.store.get().generation + 1 });
    await this.loop.settled();
  }

  async pass(ms: number): Promise<void> {
    this.clock.pass(ms);
    await this.loop.settled();
  }

  pods(change: 'none' | 'old' | 'new' | 'unready'): Partial<ClusterSnapshot> {
    const pods = new Map(SAMPLE_CLUSTER.pods);
    const old = pods.get(OLD);
    if (change === 'unready' && old !== undefined) pods.set(OLD, { ...old, ready: false });
    if (change === 'none' || change === 'new') pods.delete(OLD);
    if (change === 'new') pods.set(objectKey(NEXT), NEXT);
    return { pods };
  }

  join(seat: number, address: string): CacheRow {
    const listeners = [{ port: DNS_PORT, view: 1 }];
    const hello: Hello = {
      ...{ version: 1 as const, addresses: [ip(address)], ports: [DNS_PORT], threads: 1 },
      answers: { layout: ANSWER_LAYOUT, listeners },
    };
    const shelf = this.answers.grant(hello, undefined)?.number;
    const row: CacheRow = {
      seat,
      hello,
      state: 'beating',
      sinceMs: 0,
      ...(shelf !== undefined && { shelf }),
    };
    this.#caches = [...this.#caches, row];
    this.answers.sync();
    return row;
  }

  leave(seat: number): void {
    this.#caches = this.#caches.filter((row) => row.seat !== seat);
    this.answers.sync();
  }

  /** What a query over UDP meets: how many backends, and from which shelf it may be answered. */
  met(): { readonly backends: number; readonly shelf?: number } | 'nothing' {
    const row = this.datapath.dump().find(({ protocol }) => protocol === 'UDP');
    if (row === undefined) return 'nothing';
    return { backends: row.slots.length, ...(row.answers && { shelf: row.answers.shelf }) };
  }

  shelves(): readonly number[] {
    return this.datapath.shelves().map(({ number }) => number);
  }

  clientIsAnswered(): boolean {
    return this.datapath.interfaces().some(({ pod, answers }) => pod === CLIENT && answers);
  }

  close(): void {
    this.loop.close();
    this.answers.close();
    this.datapath.close();
  }
}
