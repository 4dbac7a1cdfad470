import { describe, expect, it } from 'vitest';
import { EMPTY_SNAPSHOT } from '../../cluster/snapshot.ts';
import type { Handler } from '../../server/handler.ts';
import { createStore } from '../../store/store.ts';
import type { ClusterNeed, Host } from '../contract.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { clusterSnapshot } from './cases/cluster-fixture.ts';
import { setup } from './setup.ts';

const nobody: Handler = () => {
  throw new Error('kubernetes passed a query on');
};

function start(lines: string) {
  const fake = fakeHost();
  const store = createStore(EMPTY_SNAPSHOT);
  const needs: ClusterNeed[] = [];
  const host: Host = {
    ...fake,
    cluster(need) {
      needs.push(need);
      return store;
    },
  };
  const instance = setUp(setup, lines, { host });
  const handler = instance.plugin?.(nobody) ?? nobody;
  return { fake, store, needs, instance, handler };
}

const web = clusterSnapshot({
  namespaces: ['ns'],
  services: [{ ns: 'ns', name: 'web', ips: ['10.96.0.1'], ports: ['http 80/TCP'] }],
});

describe('kubernetes from start to stop', () => {
  it('watches nothing before the server starts', async () => {
    const { needs, instance } = start('kubernetes cluster.local');
    expect(needs).toEqual([]);
    void instance.onStart?.();
    await instance.onShutdown?.();
    expect(needs).toEqual([{ kinds: ['services', 'namespaces', 'endpointSlices'] }]);
  });

  it('is not ready, and answers SERVFAIL, until the first lists are in', async () => {
    const { fake, store, instance, handler } = start('kubernetes cluster.local');
    const started = instance.onStart?.();
    expect(instance.ready?.()).toBe(false);
    expect(await handler(ask('web.ns.svc.cluster.local'))).toMatchObject({ rcode: 2 });
    store.set(web);
    fake.clock.pass(100);
    await started;
    expect(instance.ready?.()).toBe(true);
    expect(await handler(ask('web.ns.svc.cluster.local'))).toMatchObject({ rcode: 0 });
  });

  it('starts unsynced after startup_timeout, and catches up later', async () => {
    const { fake, store, instance, handler } = start('kubernetes cluster.local {\nstartup_timeout 1s\n}');
    const started = instance.onStart?.();
    fake.clock.pass(1000);
    await started;
    expect(fake.lines.at(-1)).toBe('[WARNING] starting server with unsynced Kubernetes API');
    store.set(web);
    expect(instance.ready?.()).toBe(true);
    expect(await handler(ask('nothing.ns.svc.cluster.local'))).toMatchObject({ rcode: 3 });
  });

  it('lets go of the watch when it stops', async () => {
    const { store, instance } = start('kubernetes cluster.local');
    void instance.onStart?.();
    await instance.onShutdown?.();
    store.set(web);
    expect(instance.ready?.()).toBe(false);
  });
});
