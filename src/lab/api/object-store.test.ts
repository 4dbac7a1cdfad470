import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import type { StoreEvent } from './api-object.ts';
import { createObjectStore, type ObjectRef } from './object-store.ts';

function setUp() {
  const clock = createManualClock();
  const store = createObjectStore(clock);
  const events: StoreEvent[] = [];
  store.watch('Pod', (event) => events.push(event));
  return { clock, store, events };
}

function pod(name: string, more: object = {}): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c' }] },
    ...more,
  };
}

const REF: ObjectRef = { kind: 'Pod', namespace: 'default', name: 'a' };

describe('createObjectStore', () => {
  it('gives a new object what the server owns', () => {
    const { store, events } = setUp();
    const made = store.apply(pod('a'));
    expect(made.metadata).toMatchObject({
      namespace: 'default',
      generation: 1,
      creationTimestamp: '2026-11-22T00:00:00Z',
    });
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(events).toMatchObject([{ type: 'ADDED', object: { metadata: { name: 'a' } } }]);
  });

  it('says nothing when applying what is there already', () => {
    const { store, events } = setUp();
    const first = store.apply(pod('a'));
    store.patchStatus(REF, { phase: 'Running' });
    const second = store.apply(pod('a'));
    expect(events.map((event) => event.type)).toEqual(['ADDED', 'MODIFIED']);
    expect(second.metadata.uid).toBe(first.metadata.uid);
    expect(second.status).toEqual({ phase: 'Running' });
  });

  it('counts generations for the spec only, versions for everything', () => {
    const { store } = setUp();
    const made = store.apply(pod('a'));
    const labelled = store.apply(pod('a', { metadata: { name: 'a', labels: { x: 'y' } } }));
    expect(labelled.metadata.generation).toBe(1);
    expect(Number(labelled.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
    expect(store.patchStatus(REF, { phase: 'Running' }).metadata.generation).toBe(1);
    expect(store.apply(pod('a', { spec: { containers: [{ name: 'd' }] } })).metadata.generation).toBe(2);
  });

  it('merges status: conditions by type', () => {
    const { store } = setUp();
    store.apply(pod('a'));
    store.patchStatus(REF, {
      conditions: [
        { type: 'Ready', status: 'False' },
        { type: 'PodScheduled', status: 'True' },
      ],
    });
    const { status } = store.patchStatus(REF, { conditions: [{ type: 'Ready', status: 'True' }] });
    expect(status).toEqual({
      phase: 'Pending',
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'PodScheduled', status: 'True' },
      ],
    });
  });

  it('gives out frozen objects and shares nothing with the caller', () => {
    const { store } = setUp();
    const manifest = pod('a', { metadata: { name: 'a', labels: { x: 'y' } } });
    const made = store.apply(manifest);
    Object.assign(manifest, { spec: 'changed' });
    expect(store.find(REF)?.spec).toMatchObject({ containers: [{ name: 'c' }] });
    expect(Object.isFrozen(made.metadata.labels)).toBe(true);
  });

  it('marks a pod as going before it goes, and keeps the mark over updates', () => {
    const { store, clock } = setUp();
    store.apply(pod('a'));
    clock.advance(1000);
    expect(store.markDeleted(REF, 30).metadata.deletionTimestamp).toBe('2026-11-22T00:00:31Z');
    expect(store.patchStatus(REF, { phase: 'Failed' }).metadata.deletionTimestamp).toBe(
      '2026-11-22T00:00:31Z',
    );
    store.delete(REF);
    expect(store.find(REF)).toBeUndefined();
  });

  it('takes the objects of a namespace with it', () => {
    const { store, events } = setUp();
    store.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'gone' } });
    store.apply(pod('a', { metadata: { name: 'a', namespace: 'gone' } }));
    store.apply(pod('b'));
    store.delete({ kind: 'Namespace', name: 'gone' });
    expect(store.list('Pod').map((object) => object.metadata.name)).toEqual(['b']);
    expect(events.at(-1)).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'a' } } });
  });

  it('gives each service an address of its own and keeps it', () => {
    const { store } = setUp();
    const service = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ports: [{ port: 53 }] },
    });
    const addresses = ['a', 'b', 'c'].map(
      (name) => (store.apply(service(name)).spec as { clusterIP: string }).clusterIP,
    );
    expect(new Set(addresses).size).toBe(3);
    expect(store.apply(service('a')).spec).toMatchObject({
      clusterIP: addresses[0],
      clusterIPs: [addresses[0]],
    });
  });

  const refusals: readonly {
    name: string;
    manifest: Record<string, unknown>;
    status: number;
    says: string;
  }[] = [
    {
      name: 'an unknown kind',
      manifest: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } },
      status: 404,
      says: 'Secret',
    },
    {
      name: 'a kind in the wrong version',
      manifest: { ...pod('a'), apiVersion: 'v2' },
      status: 404,
      says: 'v2',
    },
    {
      name: 'no name',
      manifest: { ...pod('a'), metadata: {} },
      status: 422,
      says: 'name or generateName is required',
    },
    { name: 'a name in capitals', manifest: pod('Pod'), status: 422, says: 'RFC 1123' },
    {
      name: 'an unknown namespace',
      manifest: { ...pod('a'), metadata: { name: 'a', namespace: 'nope' } },
      status: 404,
      says: 'namespaces "nope" not found',
    },
    {
      name: 'a pod without containers',
      manifest: { ...pod('a'), spec: {} },
      status: 422,
      says: 'spec.containers: Required value',
    },
    {
      name: 'a service address that is none',
      manifest: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'x' },
        spec: { clusterIP: 'x', ports: [{ port: 1 }] },
      },
      status: 422,
      says: 'must be a valid IP address',
    },
  ];
  it.each(refusals)('refuses $name', ({ manifest, status, says }) => {
    const { store } = setUp();
    expect(() => store.apply(manifest)).toThrow(
      expect.objectContaining({ spec: expect.objectContaining({ status }) }),
    );
    expect(() => store.apply(manifest)).toThrow(says);
  });

  it('refuses to create twice, to change a stale version, and to touch what is not there', () => {
    const { store } = setUp();
    const made = store.create(pod('a'));
    expect(() => store.create(pod('a'))).toThrow('pods "a" already exists');
    store.patchStatus(REF, { phase: 'Running' });
    expect(() => store.replace(made)).toThrow('please apply your changes to the latest version');
    expect(() => store.patchStatus({ ...REF, name: 'b' }, {})).toThrow('pods "b" not found');
    expect(() => store.delete({ ...REF, name: 'b' })).toThrow('pods "b" not found');
  });

  it('remembers what happened for a while, and says when it has forgotten', () => {
    const { store } = setUp();
    const start = store.version();
    for (let i = 0; i < 10; i++)
      store.apply(pod('a', { metadata: { name: 'a', labels: { turn: String(i) } } }));
    expect(store.eventsSince('Pod', start)).toHaveLength(10);
    for (let i = 0; i < 3000; i++)
      store.apply(pod('a', { metadata: { name: 'a', labels: { turn: `x${i}` } } }));
    expect(() => store.eventsSince('Pod', start)).toThrow('too old resource version');
    expect(() => store.eventsSince('Pod', store.version() + 1)).toThrow('too old resource version');
  });
});
