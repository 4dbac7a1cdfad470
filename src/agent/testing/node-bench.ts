/** Test support: one agent of k8s-w1 between a scripted cluster and the fake kernel, in a directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalRedirectPolicyRow } from '../../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../../cluster/snapshot.ts';
import { createFakeKernel, type FakeDatapath, openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { ip, SAMPLE_CLUSTER } from '../../flow/testing/sample-cluster.ts';
import { type HubbleClient, openHubble } from '../../hubble/client.ts';
import { createStore, type Store } from '../../store/store.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { type Agent, type NodeOptions, startNode } from '../agent.ts';
import type { HubbleListen } from '../observer/node-hubble.ts';

/** Of the sample cluster's kube-dns, to the cache of its node. */
export const POLICY: LocalRedirectPolicyRow = {
  ...{ namespace: 'kube-system', name: 'nodelocaldns', uid: 'u', createdAtMs: 0 },
  skipRedirectFromBackend: false,
  serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system', toPorts: [] },
  backendSelector: { matchLabels: { 'k8s-app': 'node-local-dns' }, matchExpressions: [] },
  backendPorts: [
    { port: '53', name: 'dns', protocol: 'UDP' },
    { port: '53', name: 'dns-tcp', protocol: 'TCP' },
  ],
};
export const WITH_POLICY: ClusterSnapshot = {
  ...SAMPLE_CLUSTER,
  generation: 2,
  localRedirectPolicies: new Map([['kube-system/nodelocaldns', POLICY]]),
};

export class NodeBench {
  readonly directory = mkdtempSync(join(tmpdir(), 'zerohop-node-hubble-'));
  readonly socketPath = join(this.directory, 'agent.sock');
  readonly hubblePath = join(this.directory, 'hubble', 'k8s-w1.sock');
  readonly snapshot: Store<ClusterSnapshot> = createStore(SAMPLE_CLUSTER);
  readonly kernel = createFakeKernel();
  readonly datapath: FakeDatapath = openFakeDatapath({ kernel: this.kernel, clock: systemClock });

  readonly warnings: string[] = [];
  readonly #opened: HubbleClient[] = [];
  #agent: Agent | undefined;

  async start(hubble: HubbleListen = {}, more: Partial<NodeOptions> = {}): Promise<void> {
    for (const [index, address] of ['172.20.1.5', '172.20.1.9', '172.20.1.99'].entries()) {
      this.kernel.interfaces.set(ip(address), { ifindex: index + 7, ifname: `veth${index}` });
    }
    this.#agent = await startNode({
      ...{
        nodeName: 'k8s-w1',
        snapshot: this.snapshot,
        datapath: this.datapath,
        socketPath: this.socketPath,
      },
      missing: createStore<ReadonlySet<KindName>>(new Set()),
      clock: systemClock,
      hubble: { socketPath: this.hubblePath, ...hubble },
      log: {
        ...{ debug: () => undefined, info: () => undefined, error: () => undefined },
        warning: (text) => this.warnings.push(text),
        fatal: (text) => {
          throw new Error(text);
        },
      },
      ...more,
    });
  }

  open(target = `unix://${this.hubblePath}`): HubbleClient {
    const client = openHubble(target);
    this.#opened.push(client);
    return client;
  }

  /** Ends the agent; its clients see it go. */
  async halt(): Promise<void> {
    await this.#agent?.close();
    this.#agent = undefined;
  }

  async stop(): Promise<void> {
    for (const client of this.#opened.splice(0)) client.close();
    await this.halt();
  }

  async end(): Promise<void> {
    await this.stop();
    this.datapath.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
