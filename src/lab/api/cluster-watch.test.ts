/** Our client against the lab's own API server, over real sockets. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ClusterSnapshot, KindName } from '../../cluster/snapshot.ts';
import { createKubeClient } from '../../kube/client.ts';
import { type ClusterWatch, type ClusterWatchSpec, startClusterWatch } from '../../kube/cluster-watch.ts';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import { createHeardLog, until } from '../../kube/testing/scripted-server.ts';
import { type ApiServer, createApiServer } from './http-server.ts';

// Real sockets on a busy machine: the waits inside are bounded by looks, not by this.
vi.setConfig({ testTimeout: 30_000 });

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(api: ApiServer, port = 0): Promise<Listening> {
  const server: Server = createServer(api.handler);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  let open = true;
  const listening = {
    port: (server.address() as AddressInfo).port,
    async close() {
      if (!open) return;
      open = false;
      const closed = new Promise((resolve) => server.close(resolve));
      api.close();
      server.closeAllConnections();
      await closed;
    },
  };
  opened.push(listening);
  return listening;
}

const KINDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'nodes',
  'namespaces',
  'localRedirectPolicies',
];

function follow(port: number, options: Partial<ClusterWatchSpec> = {}) {
  const client = createKubeClient({ server: `http://127.0.0.1:${port}` });
  const clock = createManualClock();
  const log = createHeardLog();
  const watch: ClusterWatch = startClusterWatch({
    client,
    clock,
    log,
    kinds: KINDS,
    random: () => 0.5,
    ...options,
  });
  opened.push(client, watch);
  const generations: ClusterSnapshot[] = [];
  watch.snapshot.watch((snapshot) => generations.push(snapshot));
  const see = (what: string, condition: (snapshot: ClusterSnapshot) => boolean) =>
    until(
      what,
      () => condition(watch.snapshot.get()),
      () => clock.advance(50),
    );
  const listed = () =>
    until(
      'the first lists',
      () => watch.snapshot.get().synced.size === watch.stats().size,
      () => clock.advance(5),
    );
  return { watch, clock, log, see, listed, generations };
}

function pod(name: string, more: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', ...more },
    spec: { nodeName: 'k8s-w1', containers: [{ name: 'c' }] },
  };
}

function service(name: string): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ port: 53 }] },
  };
}

describe('startClusterWatch', () => {
  it('shows what is there, then what comes, changes and goes', async () => {
    const api = createApiServer({ clock: createManualClock() });
    api.store.apply(pod('first'));
    const { watch, see, listed } = follow((await listen(api)).port);
    await listed();
    await watch.synced();
    expect([...watch.snapshot.get().pods.keys()]).toEqual(['default/first']);
    await see('all watches', () => [...watch.stats().values()].every((stats) => stats.watches === 1));

    api.store.apply(service('web'));
    await see('the service', (snapshot) => snapshot.services.get('default/web')?.clusterIPs.length === 1);
    api.store.patchStatus({ kind: 'Pod', namespace: 'default', name: 'first' }, { podIP: '172.20.1.5' });
    await see('the address', (snapshot) => snapshot.pods.get('default/first')?.podIPs[0] === '172.20.1.5');
    api.store.delete({ kind: 'Pod', namespace: 'default', name: 'first' });
    await see('the pod gone', (snapshot) => snapshot.pods.size === 0);
  });

  it('keeps the maps of kinds that did not change', async () => {
    const api = createApiServer({ clock: createManualClock() });
    const { watch, see, listed } = follow((await listen(api)).port);
    await listed();
    const before = watch.snapshot.get();
    api.store.apply(service('web'));
    await see('the service', (snapshot) => snapshot.services.size === 1);
    const after = watch.snapshot.get();
    expect(after.services).not.toBe(before.services);
    for (const kind of KINDS.filter((name) => name !== 'services')) expect(after[kind]).toBe(before[kind]);
  });

  it('gathers a burst of changes into few snapshots', async () => {
    const api = createApiServer({ clock: createManualClock() });
    const { watch, see, listed, generations } = follow((await listen(api)).port, { kinds: ['pods'] });
    await listed();
    await see('the watch', () => watch.stats().get('pods')?.watches === 1);
    generations.length = 0;
    for (let i = 0; i < 2000; i++) api.store.apply(pod(`p${i}`));
    await see('all pods', (snapshot) => snapshot.pods.size === 2000);
    expect(generations.length).toBeLessThan(200);
  });

  it('lists thousands of objects in pages', async () => {
    const api = createApiServer({ clock: createManualClock() });
    for (let i = 0; i < 1201; i++) api.store.apply(pod(`p${i}`));
    const { watch, listed } = follow((await listen(api)).port, { kinds: ['pods'] });
    await listed();
    expect(watch.snapshot.get().pods.size).toBe(1201);
  });

  it('lists anew after a restart of the server that lost its state, keeping the old until then', async () => {
    const clock = createManualClock();
    const first = createApiServer({ clock });
    first.store.apply(pod('old'));
    const before = await listen(first);
    const { watch, see, listed } = follow(before.port, { kinds: ['pods'] });
    await listed();
    await see('the watch', () => watch.stats().get('pods')?.watches === 1);
    await before.close();
    await see('the failure', () => watch.stats().get('pods')?.failing === true);
    expect([...watch.snapshot.get().pods.keys()]).toEqual(['default/old']);

    clock.advance(60_000);
    const second = createApiServer({ clock });
    second.store.apply(pod('new'));
    await listen(second, before.port);
    await see('the new state', (snapshot) => snapshot.pods.has('default/new'));
    expect([...watch.snapshot.get().pods.keys()]).toEqual(['default/new']);
  });

  it('lists anew when its version has been forgotten, and misses nothing', async () => {
    const api = createApiServer({ clock: createManualClock() });
    const before = await listen(api);
    const { watch, see, listed } = follow(before.port, { kinds: ['pods'] });
    await listed();
    await before.close();
    for (let i = 0; i < 3000; i++) api.store.apply(pod('busy', { labels: { turn: String(i) } }));
    await listen(api, before.port);
    await see('the last state', (snapshot) => snapshot.pods.get('default/busy')?.labels.turn === '2999');
    expect(watch.stats().get('pods')?.lists).toBe(2);
  });

  it('selects by label, namespace label and pod field', async () => {
    const api = createApiServer({ clock: createManualClock() });
    const namespace = (name: string, labels: object) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    });
    api.store.apply(namespace('blue', { color: 'blue' }));
    api.store.apply(pod('here', { labels: { app: 'a' } }));
    api.store.apply(pod('other-app', { labels: { app: 'b' } }));
    const elsewhere = pod('elsewhere', { labels: { app: 'a' } });
    api.store.apply({ ...elsewhere, spec: { nodeName: 'k8s-ctr', containers: [{ name: 'c' }] } });
    const { watch, see, listed } = follow((await listen(api)).port, {
      labelSelector: 'app=a',
      namespaceLabelSelector: 'color in (blue, green)',
      podFieldSelector: 'spec.nodeName=k8s-w1',
    });
    await listed();
    expect([...watch.snapshot.get().pods.keys()]).toEqual(['default/here']);
    expect([...watch.snapshot.get().namespaces.keys()]).toEqual(['/blue']);
    await see('the watch', () => watch.stats().get('pods')?.watches === 1);
    api.store.apply(pod('here', { labels: { app: 'b' } }));
    await see('the pod leave the selection', (snapshot) => snapshot.pods.size === 0);
  });

  it('works without the policy kind, says that it is missing, and finds it when it is installed', async () => {
    const api = createApiServer({ clock: createManualClock() });
    let installed = false;
    const handler: ApiServer['handler'] = (req, res) => {
      if (installed || req.url?.includes('cilium.io') !== true) api.handler(req, res);
      else res.writeHead(404).end('404 page not found\n');
    };
    const { watch, see } = follow((await listen({ ...api, handler })).port);
    await see('the kinds there are', ({ synced }) => synced.size === KINDS.length - 1);
    await watch.synced(['pods', 'services']);
    await until('the kind missing', () => watch.missing.get().has('localRedirectPolicies'));
    expect(watch.snapshot.get().synced.has('localRedirectPolicies')).toBe(false);
    installed = true;
    await see('the kind', (snapshot) => snapshot.synced.has('localRedirectPolicies'));
    expect([...watch.missing.get()]).toEqual([]);
  });

  it('rejects those who wait for a first list when it is closed', async () => {
    const { watch } = follow(1, { kinds: ['pods'] });
    const waiting = watch.synced();
    watch.close();
    await expect(waiting).rejects.toMatchObject({ code: 'KUBE_WATCH_CLOSED' });
  });

  it('stops publishing when closed and leaves no timer', async () => {
    const api = createApiServer({ clock: createManualClock() });
    const { watch, clock, listed, generations } = follow((await listen(api)).port);
    await listed();
    watch.close();
    const published = generations.length;
    api.store.apply(service('late'));
    await until('no timers', () => clock.pending() === 0);
    expect(generations.length).toBe(published);
  });
});
