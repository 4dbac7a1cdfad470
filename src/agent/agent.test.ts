import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../cluster/snapshot.ts';
import { createFakeKernel, type FakeDatapath, openFakeDatapath } from '../datapath/fake-datapath.ts';
import { ip, SAMPLE_CLUSTER } from '../flow/testing/sample-cluster.ts';
import { createStore, type Store } from '../store/store.ts';
import { systemClock } from '../telemetry/clock.ts';
import { type Agent, startNode } from './agent.ts';
import { type AgentClient, createAgentClient } from './client.ts';
import { discoverAgents } from './discover.ts';
import { WITH_POLICY } from './testing/node-bench.ts';

const QUIET = {
  debug: () => undefined,
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  fatal: (text: string): never => {
    throw new Error(text);
  },
};

/** One agent of k8s-w1 between a scripted cluster and the fake kernel, in a directory of its own. */
class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'zerohop-agent-'));
  readonly socketPath = join(this.directory, 'agents', 'k8s-w1.sock');
  readonly snapshot: Store<ClusterSnapshot> = createStore(EMPTY_SNAPSHOT);
  readonly missing: Store<ReadonlySet<KindName>> = createStore(new Set<KindName>());
  readonly kernel = createFakeKernel();
  readonly datapath: FakeDatapath = openFakeDatapath({ kernel: this.kernel, clock: systemClock });
  readonly client: AgentClient = createAgentClient(this.socketPath);
  agent: Agent | undefined;

  async start(): Promise<void> {
    for (const [index, address] of ['172.20.1.5', '172.20.1.9', '172.20.1.99'].entries()) {
      this.kernel.interfaces.set(ip(address), { ifindex: index + 7, ifname: `veth${index}` });
    }
    const { snapshot, missing, datapath, socketPath } = this;
    this.agent = await startNode({
      ...{ nodeName: 'k8s-w1', snapshot, missing, datapath, socketPath, log: QUIET },
      clock: systemClock,
      flowCapacity: 255,
    });
  }

  async end(): Promise<void> {
    await this.agent?.close();
    this.datapath.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Waits for the kernel, which a change reaches within the loop's pause. */
  async until(condition: () => boolean): Promise<void> {
    await expect.poll(condition, { interval: 5 }).toBe(true);
  }
}

let bench: Bench;
beforeEach(async () => {
  bench = new Bench();
  await bench.start();
});
afterEach(() => bench.end());

describe('the agent', () => {
  it('lists after a restart what the kernel still redirects, while the API server is away', async () => {
    bench.snapshot.set(WITH_POLICY);
    await bench.until(() => bench.kernel.frontends.size === 2);
    const before = (await bench.client.service()).rows.filter(({ id }) => id !== undefined);
    await bench.agent?.close();
    bench.datapath.close();
    const datapath = openFakeDatapath({ kernel: bench.kernel, clock: systemClock });
    const { missing, socketPath } = bench;
    const snapshot = createStore(EMPTY_SNAPSHOT);
    bench.agent = await startNode({
      ...{ nodeName: 'k8s-w1', snapshot, missing, datapath, socketPath, log: QUIET },
      clock: systemClock,
    });
    const listed = await bench.client.service();
    expect(listed.rows.map(({ id, frontend }) => [id, frontend.address, frontend.type])).toEqual(
      before.map(({ id, frontend }) => [id, frontend.address, 'LocalRedirect']),
    );
    snapshot.set(WITH_POLICY);
    await bench.until(() => datapath.frontends().length === 2);
    expect((await bench.client.service()).rows.filter(({ id }) => id !== undefined)).toMatchObject(
      before.map(({ id, frontend }) => ({ id, frontend })),
    );
  });

  it('redirects once the policy is there, and says since when', async () => {
    bench.snapshot.set(SAMPLE_CLUSTER);
    await bench.until(() => bench.datapath.interfaces().length === 3);
    expect((await bench.client.lrp()).realised).toEqual([]);
    const appliedAtMs = Date.now();
    bench.snapshot.set(WITH_POLICY);
    await bench.until(() => bench.kernel.frontends.size === 2);
    const { table, realised, node } = await bench.client.lrp();
    expect(node).toBe('k8s-w1');
    expect(table.policies.map(({ policy, state }) => [policy, state])).toEqual([
      ['kube-system/nodelocaldns', 'active'],
    ]);
    expect(realised).toMatchObject([{ policy: 'kube-system/nodelocaldns', state: 'done' }]);
    expect(realised[0]?.realisedAtMs).toBeGreaterThanOrEqual(appliedAtMs);
    const { rows } = await bench.client.service();
    const redirected = rows.filter(({ frontend }) => frontend.type === 'LocalRedirect');
    expect(redirected.map(({ frontend, status }) => [frontend.backends[0]?.address, status?.state])).toEqual([
      ['172.20.1.9', 'done'],
      ['172.20.1.9', 'done'],
    ]);
    expect(new Set(redirected.map(({ id }) => id)).size).toBe(2);
  });

  it('lets the service be when the policy goes', async () => {
    bench.snapshot.set(WITH_POLICY);
    await bench.until(() => bench.kernel.frontends.size === 2);
    bench.snapshot.set({ ...SAMPLE_CLUSTER, generation: 3 });
    await bench.until(() => bench.kernel.frontends.size === 0);
    expect((await bench.client.service()).rows.every(({ frontend }) => frontend.type === 'ClusterIP')).toBe(
      true,
    );
  });

  it('takes nothing away before every source has listed once', async () => {
    bench.snapshot.set(WITH_POLICY);
    await bench.until(() => bench.kernel.frontends.size === 2);
    const blind = { ...SAMPLE_CLUSTER, pods: WITH_POLICY.pods, synced: new Set<KindName>(['services']) };
    bench.snapshot.set({ ...blind, generation: 3, localRedirectPolicies: new Map() });
    await bench.until(() => bench.datapath.frontends().length === 0);
    expect(bench.kernel.frontends.size).toBe(2);
  });

  it('leaves the kernel as it is when it ends', async () => {
    bench.snapshot.set(WITH_POLICY);
    await bench.until(() => bench.kernel.frontends.size === 2);
    await bench.agent?.close();
    expect(bench.kernel.frontends.size).toBe(2);
    expect(bench.kernel.attached.size).toBe(3);
  });

  it('tells its state', async () => {
    bench.missing.set(new Set(['localRedirectPolicies']));
    bench.snapshot.set(SAMPLE_CLUSTER);
    await bench.until(() => bench.datapath.interfaces().length === 3);
    const status = await bench.client.status();
    expect(status).toMatchObject({ name: 'zerohop', node: 'k8s-w1', missing: ['localRedirectPolicies'] });
    expect(status.interfaces.map(({ pod, status: row }) => `${pod} ${row.state}`)).toContain(
      'default/netshoot done',
    );
    expect(status.flows).toMatchObject({ recording: true, capacity: 255, followers: 0 });
    expect(status.counters.fellBack['no-socket']).toBe('0');
  });

  it('says so to who asks for what there is not', async () => {
    const status = await new Promise<number | undefined>((resolve) => {
      const request = httpRequest(
        { socketPath: bench.socketPath, method: 'POST', path: '/v1/flows' },
        (response) => resolve(response.statusCode),
      );
      request.end('{}');
    });
    expect(status).toBe(404);
  });

  it('gives its socket to its own user only: group 0 is what many containers run with', () => {
    expect(statSync(bench.socketPath).mode & 0o777).toBe(0o600);
  });
});

describe('discoverAgents', () => {
  const nowhere = '/nonexistent/agent.sock';

  it("finds the lab's agents, or the one it is told", async () => {
    const labDirectory = join(bench.directory, 'agents');
    const env = { ZEROHOP_SERVER: `unix://${bench.socketPath}` };
    const found = await discoverAgents({ env: {}, defaultSocket: nowhere, labDirectory });
    expect(found.map(({ node }) => node)).toEqual(['k8s-w1']);
    expect(await discoverAgents({ env })).toHaveLength(1);
    expect(await discoverAgents({ env: {}, server: bench.socketPath, node: 'k8s-w1' })).toHaveLength(1);
  });

  it.each([
    {
      name: 'there is none',
      options: { defaultSocket: nowhere, labDirectory: '/nonexistent' },
      code: 'AGENT_NOT_RUNNING',
    },
    { name: 'the named one is not there', options: { server: nowhere }, code: 'AGENT_NOT_RUNNING' },
  ])('says so when $name', async ({ options, code }) => {
    await expect(discoverAgents({ env: {}, ...options })).rejects.toMatchObject({ code });
  });

  it('uses the agents that answer, and tells of one that does not unless another was asked for', async () => {
    const labDirectory = join(bench.directory, 'agents');
    const dead = join(labDirectory, 'dead.sock');
    writeFileSync(dead, '');
    const options = { env: {}, defaultSocket: nowhere, labDirectory };
    const silent: unknown[] = [];
    const onSilent = (error: unknown) => silent.push(error);
    expect(await discoverAgents({ ...options, node: 'k8s-w1', onSilent })).toHaveLength(1);
    expect(silent).toEqual([]);
    expect(await discoverAgents({ ...options, onSilent })).toHaveLength(1);
    expect(silent).toMatchObject([{ code: 'AGENT_NOT_RUNNING' }]);
    await expect(discoverAgents(options)).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' });
    rmSync(dead);
  });

  it('names the nodes there are when another is asked for', async () => {
    const asked = discoverAgents({ env: {}, server: bench.socketPath, node: 'k8s-w9' });
    await expect(asked).rejects.toMatchObject({
      code: 'AGENT_NODE_UNKNOWN',
      message: expect.stringContaining('k8s-w1'),
    });
  });
});

describe('the socket', () => {
  it('is not taken from an agent that serves it, nor from a file', async () => {
    const second = { ...QUIET };
    const options = { nodeName: 'k8s-w1', snapshot: bench.snapshot, missing: bench.missing, log: second };
    const { datapath } = bench;
    const start = (socketPath: string) => startNode({ ...options, datapath, socketPath, clock: systemClock });
    await expect(start(bench.socketPath)).rejects.toMatchObject({ code: 'AGENT_SOCKET_TAKEN' });
    const file = join(bench.directory, 'file');
    writeFileSync(file, '');
    await expect(start(file)).rejects.toMatchObject({ code: 'AGENT_SOCKET_UNUSABLE' });
  });
});
