/** An agent that only observes, on the fake kernel: nothing is redirected, and what was before is taken away. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LocalRedirectPolicyRow } from '../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import { createFakeKernel, openFakeDatapath } from '../datapath/fake-datapath.ts';
import { SAMPLE_CLUSTER } from '../flow/testing/sample-cluster.ts';
import { createDeriver } from '../policy/deriver.ts';
import { createStore } from '../store/store.ts';
import { systemClock } from '../telemetry/clock.ts';
import { startNode } from './agent.ts';
import { createAgentClient } from './client.ts';
import { withoutRedirects } from './observe-only.ts';

const QUIET = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  fatal: (text: string): never => {
    throw new Error(text);
  },
};

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
const KINDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'nodes',
  'namespaces',
  'localRedirectPolicies',
];
const CLUSTER: ClusterSnapshot = {
  ...SAMPLE_CLUSTER,
  generation: 2,
  synced: new Set(KINDS),
  localRedirectPolicies: new Map([['kube-system/nodelocaldns', POLICY]]),
};

const home = mkdtempSync(join(tmpdir(), 'zerohop-observing-'));
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(home, { recursive: true, force: true });
});

describe('an agent that only observes', () => {
  it('takes away what an earlier one redirected, and says why its policies wait', async () => {
    const kernel = createFakeKernel();
    const start = async (observeOnly: boolean) => {
      const datapath = openFakeDatapath({ kernel, clock: systemClock });
      const socketPath = join(home, 'a.sock');
      const agent = await startNode({
        ...{ nodeName: 'k8s-w1', snapshot: createStore(CLUSTER), missing: createStore(new Set<never>()) },
        ...{ datapath, socketPath, log: QUIET, clock: systemClock, observeOnly },
      });
      const close = () => agent.close().then(() => datapath.close());
      closing.push(close);
      return { datapath, client: createAgentClient(socketPath), close };
    };
    const before = await start(false);
    await expect.poll(() => before.datapath.frontends().length).toBeGreaterThan(0);
    await before.close();
    closing.length = 0;

    const { datapath, client } = await start(true);
    await expect.poll(() => [...datapath.frontends(), ...datapath.inherited()]).toEqual([]);
    const { table, realised } = await client.lrp();
    expect(table.redirects).toEqual([]);
    expect(table.policies).toMatchObject([
      {
        policy: 'kube-system/nodelocaldns',
        state: 'waiting',
        reason: expect.stringContaining('only observes'),
      },
    ]);
    expect(realised).toMatchObject([{ state: 'none' }]);
  });
});

describe('withoutRedirects', () => {
  it('gives the same table for the same, as a deriver promises', () => {
    const deriver = withoutRedirects(
      createDeriver({ nodeName: 'k8s-w1', addressAllowList: [], policyNamespaces: [] }),
    );
    const first = deriver.update(CLUSTER);
    const next = deriver.update({ ...CLUSTER, generation: 3 });
    expect(next.policies).toBe(first.policies);
    expect(next.redirects).toBe(first.redirects);
    expect(next.generation).toBe(3);
  });
});
