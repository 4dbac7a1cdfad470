/** The agents' reporting against a whole API server over HTTP, with time that runs up to twenty-five times as fast. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { NodeReport, PolicyReport } from '../../agent/report/node-report.ts';
import { type StatusReport, startStatusReport } from '../../agent/report/status-report.ts';
import { createKubeClient, type KubeClient } from '../../kube/client.ts';
import { itemsOf, type JsonRecord, recordOf } from '../../kube/json-fields.ts';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import { createHeardLog, until } from '../../kube/testing/scripted-server.ts';
import { type Clock, systemClock } from '../../telemetry/clock.ts';
import type { ApiObject } from './api-object.ts';
import { createApiServer } from './http-server.ts';

vi.setConfig({ testTimeout: 90_000 });

const TICK_MS = 4;
const SPEED = 25;
/** It stands while the process is put off: leases must not run out that nobody could renew. */
const hands = createManualClock();
const FAST: Clock = {
  nowMs: systemClock.nowMs,
  monotonicMs: () => hands.monotonicMs(),
  after: (delayMs, run) => hands.after(delayMs, run),
};
let ticking: NodeJS.Timeout;
beforeAll(() => {
  ticking = setInterval(() => hands.advance(TICK_MS * SPEED), TICK_MS);
});
afterAll(() => clearInterval(ticking));

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

const POLICY = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumLocalRedirectPolicy',
  metadata: { name: 'nodelocaldns', namespace: 'kube-system' },
  spec: {
    redirectFrontend: { serviceMatcher: { serviceName: 'kube-dns', namespace: 'kube-system' } },
    redirectBackend: {
      localEndpointSelector: { matchLabels: { 'k8s-app': 'node-local-dns' } },
      toPorts: [{ port: '53', protocol: 'UDP' }],
    },
  },
};
const REF = { kind: 'CiliumLocalRedirectPolicy', namespace: 'kube-system', name: 'nodelocaldns' } as const;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

/** One API server, and agents of as many nodes as a test starts. */
async function startBench(options: { prunesPolicyStatus?: boolean } = {}) {
  const api = createApiServer({ clock: systemClock, ...options });
  api.store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  api.store.apply(POLICY);
  const requests: string[] = [];
  let refuse: (method: string, path: string) => number | undefined = () => undefined;
  const server = createServer((req, res) => {
    const path = (req.url ?? '').split('?')[0] ?? '';
    requests.push(`${req.method} ${path}`);
    const status = refuse(req.method ?? '', path);
    if (status === undefined) api.handler(req, res);
    else res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code: status }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  opened.push({
    close() {
      api.close();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return {
    store: api.store,
    requests,
    refuse(rule: typeof refuse) {
      refuse = rule;
    },
    agent: (node: string) => startAgentOf(node, createKubeClient({ server: endpoint })),
    uid: () => api.store.find(REF)?.metadata.uid ?? '',
    condition: (type: string) => conditionOf(api.store.find(REF), type),
    events: () => api.store.list('Event', 'kube-system').map(({ type, reason }) => `${type} ${reason}`),
  };
}

function startAgentOf(node: string, client: KubeClient) {
  let report: NodeReport | undefined;
  const log = createHeardLog();
  const running: StatusReport = startStatusReport({
    ...{ client, namespace: 'kube-system', nodeName: node, clock: FAST, random: () => 0.5, log },
    nodeUid: () => `uid-of-${node}`,
    report: () => report,
  });
  const close = async () => {
    await running.close();
    client.close();
  };
  opened.push({ close });
  return {
    log,
    close,
    status: () => running.status(),
    says(uid: string, told: Partial<PolicyReport>) {
      const policy = {
        policy: 'kube-system/nodelocaldns',
        uid,
        state: 'active',
        realised: 'done',
        reason: '',
      } as const;
      report = { node, policies: [{ ...policy, ...told }], omitted: 0 };
    },
  };
}

function conditionOf(object: ApiObject | undefined, type: string): JsonRecord {
  const { conditions } = recordOf(object?.status);
  return recordOf(itemsOf(conditions).find((item) => recordOf(item).type === type));
}

const WAITING = { state: 'waiting', realised: 'none', reason: 'pod kube-system/c is not ready' } as const;

describe('the status of a policy', () => {
  it('says on how many nodes it is realised, names the one that lags, and follows', async () => {
    const bench = await startBench();
    const [one, two] = [bench.agent('w1'), bench.agent('w2')];
    one.says(bench.uid(), {});
    two.says(bench.uid(), WAITING);
    const told = (message: string) => () => bench.condition('Realised').message === message;
    await until('one of two', told('realised on 1 of 2 nodes; w2: pod kube-system/c is not ready'));
    expect(bench.condition('Realised')).toMatchObject({ status: 'False', reason: 'PartlyRealised' });
    expect(bench.condition('Accepted')).toMatchObject({ status: 'True', reason: 'Valid' });
    two.says(bench.uid(), {});
    await until('both', told('realised on 2 of 2 nodes'));
    expect(bench.condition('Realised')).toMatchObject({ status: 'True' });
    one.says(bench.uid(), WAITING);
    two.says(bench.uid(), WAITING);
    await until('none', () => bench.condition('Realised').reason === 'NoBackend');
    await until('the events', () => bench.events().includes('Warning FellBack'));
    expect(bench.events()).toEqual(expect.arrayContaining(['Normal Accepted', 'Normal Realised']));
  });

  it('carries the generation that its own write made, and is not written again for that', async () => {
    const bench = await startBench();
    const agent = bench.agent('w1');
    agent.says(bench.uid(), {});
    await until('realised', () => bench.condition('Realised').status === 'True');
    const written = () => bench.requests.filter((line) => line.includes('PATCH /apis/cilium.io')).length;
    const before = written();
    const { generation } = bench.store.find(REF)?.metadata ?? { generation: 0 };
    expect(bench.condition('Realised').observedGeneration).toBe(generation);
    // Two renewals of the node's lease later, many looks have found nothing to do.
    const renewals = () => bench.requests.filter((line) => line.endsWith('/zerohop-w1')).length;
    const renewed = renewals();
    await until('two renewals', () => renewals() >= renewed + 2);
    expect(written()).toBe(before);
  });

  it('has one writer; when that one ends another takes over and goes on', async () => {
    const bench = await startBench();
    const agents = [bench.agent('w1'), bench.agent('w2'), bench.agent('w3')];
    for (const agent of agents) agent.says(bench.uid(), {});
    await until('a leader', () => agents.some((agent) => agent.status().leading));
    await until('all three', () => bench.condition('Realised').message === 'realised on 3 of 3 nodes');
    const first = agents.find((agent) => agent.status().leading);
    const rest = agents.filter((agent) => agent !== first);
    expect(rest.some((agent) => agent.status().leading)).toBe(false);
    await first?.close();
    await until('another leader', () => rest.some((agent) => agent.status().leading));
    expect(rest.filter((agent) => agent.status().leading).length).toBe(1);
    for (const agent of rest) agent.says(bench.uid(), WAITING);
    await until('its work', () => String(bench.condition('Realised').message).includes('not ready'));
    // The one that left counts until its lease is over.
    await until('two nodes', () =>
      String(bench.condition('Realised').message).startsWith('realised on 0 of 2'),
    );
  });

  it('takes the lease of a holder that no longer renews, and not before', async () => {
    const bench = await startBench();
    bench.store.apply({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'zerohop-status', namespace: 'kube-system' },
      spec: { holderIdentity: 'gone', leaseDurationSeconds: 30, renewTime: '2020-01-01T00:00:00.000000Z' },
    });
    const startedMs = FAST.monotonicMs();
    const agent = bench.agent('w1');
    await until('it to lead', () => agent.status().leading);
    expect(FAST.monotonicMs() - startedMs).toBeGreaterThanOrEqual(30_000);
    const lease = bench.store.find({ kind: 'Lease', namespace: 'kube-system', name: 'zerohop-status' });
    expect(lease?.spec).toMatchObject({ holderIdentity: 'w1', leaseTransitions: 1 });
  });

  it("is told by events alone where upstream's definition drops it: said once, and shown", async () => {
    const bench = await startBench({ prunesPolicyStatus: true });
    const [one, two] = [bench.agent('w1'), bench.agent('w2')];
    for (const agent of [one, two]) agent.says(bench.uid(), {});
    await until('an event', () => bench.events().includes('Normal Realised'));
    await until('both to know', () => [one, two].every((agent) => agent.status().statusPruned === true));
    for (const agent of [one, two]) agent.says(bench.uid(), WAITING);
    await until('the next event', () => bench.events().includes('Warning FellBack'));
    const lines = [...one.log.lines, ...two.log.lines].filter((line) => line.includes('drops the status'));
    expect(lines.length).toBe(1);
    expect(bench.store.find(REF)?.status).not.toHaveProperty('conditions');
    const patches = bench.requests.filter((line) => line.startsWith('PATCH /apis/cilium.io'));
    expect(patches.length).toBe(1);
  });

  it('survives a server that refuses: one line in the log, and everything once it is allowed', async () => {
    const bench = await startBench();
    bench.refuse((method) => (method === 'GET' ? undefined : 403));
    const agent = bench.agent('w1');
    agent.says(bench.uid(), {});
    await until('the error', () => agent.status().error !== undefined);
    expect(agent.status().error).toContain('403');
    bench.refuse((method) => (method === 'GET' ? undefined : 503));
    await until('another kind of trouble', () => agent.log.lines.some((line) => line.includes('503')));
    bench.refuse(() => undefined);
    await until('the condition', () => bench.condition('Realised').status === 'True');
    expect(agent.status().error).toBeUndefined();
    for (const word of ['403', '503']) {
      const lines = agent.log.lines.filter((line) => line.startsWith('warning') && line.includes(word));
      expect(lines.length).toBeLessThanOrEqual(2);
    }
  });

  it('stops leading while the API server is away, and goes on where it was when that is back', async () => {
    const bench = await startBench();
    const agent = bench.agent('w1');
    agent.says(bench.uid(), {});
    await until('realised', () => bench.events().includes('Normal Realised'));
    bench.refuse(() => 503);
    await until('it to step down', () => !agent.status().leading);
    agent.says(bench.uid(), WAITING);
    bench.refuse(() => undefined);
    await until('it to lead again', () => agent.status().leading);
    await until('what happened meanwhile', () => bench.condition('Realised').reason === 'NoBackend');
    await until('the event', () => bench.events().includes('Warning FellBack'));
    expect(bench.events().filter((line) => line === 'Normal Realised').length).toBe(1);
  });

  it('forgets the policy that was deleted and made again', async () => {
    const bench = await startBench();
    const agent = bench.agent('w1');
    agent.says(bench.uid(), {});
    await until('realised', () => bench.condition('Realised').status === 'True');
    bench.store.delete(REF);
    bench.store.apply(POLICY);
    await until('the new one', () => bench.condition('Realised').reason === 'Progressing');
    agent.says(bench.uid(), {});
    await until('realised again', () => bench.condition('Realised').status === 'True');
  });

  it('is not shaken by leases that somebody else filled with garbage', async () => {
    const bench = await startBench();
    const lease = (name: string, text: string) => ({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...{ name, namespace: 'kube-system', labels: { 'zerohop.io/lease': 'node-report' } },
        annotations: { 'zerohop.io/policies': text },
      },
      spec: { holderIdentity: 7, renewTime: 'yesterday', leaseDurationSeconds: -1 },
    });
    bench.store.apply(lease('zerohop-a', '{"version":1'));
    bench.store.apply(lease('zerohop-b', JSON.stringify({ version: 1, node: 'b', policies: 'all' })));
    const agent = bench.agent('w1');
    agent.says(bench.uid(), {});
    await until('its own report', () =>
      String(bench.condition('Realised').message).includes('realised on 1 of'),
    );
    expect(bench.requests.some((line) => line === `POST ${LEASES}`)).toBe(true);
  });
});
