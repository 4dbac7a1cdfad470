import { describe, expect, it } from 'vitest';
import type { NamespaceRow } from '../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import { createStore } from '../store/store.ts';
import { createSnapshotBatch } from './snapshot-batch.ts';
import { createManualClock } from './testing/manual-clock.ts';

function row(name: string, labels: Record<string, string> = {}): NamespaceRow {
  return { namespace: '', name, uid: name, createdAtMs: 0, labels };
}

function setUp() {
  const clock = createManualClock();
  const snapshot = createStore<ClusterSnapshot>(EMPTY_SNAPSHOT);
  const published: ClusterSnapshot[] = [];
  snapshot.watch((value) => published.push(value));
  return { clock, snapshot, published, batch: createSnapshotBatch({ snapshot, clock, intervalMs: 5 }) };
}

const microtask = () => Promise.resolve();

describe('createSnapshotBatch', () => {
  it('publishes changes of one turn as one snapshot, at the end of the turn', async () => {
    const { batch, published } = setUp();
    batch.replace('namespaces', new Map([['/a', row('a')]]));
    batch.change('namespaces', '/b', row('b'));
    batch.change('namespaces', '/a', undefined);
    expect(published).toHaveLength(0);
    await microtask();
    expect(published).toHaveLength(1);
    expect([...(published[0]?.namespaces.keys() ?? [])]).toEqual(['/b']);
    expect(published[0]).toMatchObject({ generation: 1 });
    expect([...(published[0]?.synced ?? [])]).toEqual(['namespaces']);
  });

  it('holds a change within five milliseconds of the last snapshot back until they are over', async () => {
    const { batch, clock, published } = setUp();
    batch.replace('namespaces', new Map());
    await microtask();
    batch.change('namespaces', '/a', row('a'));
    await microtask();
    clock.advance(4);
    expect(published).toHaveLength(1);
    clock.advance(1);
    expect(published).toHaveLength(2);
  });

  it('keeps the map of every kind that did not change, and the rows that came again unchanged', async () => {
    const { batch, clock, snapshot } = setUp();
    batch.replace(
      'namespaces',
      new Map([
        ['/a', row('a')],
        ['/b', row('b')],
      ]),
    );
    batch.replace('nodes', new Map());
    await microtask();
    const before = snapshot.get();
    clock.advance(10);
    batch.replace(
      'namespaces',
      new Map([
        ['/a', row('a')],
        ['/b', row('b', { changed: 'yes' })],
      ]),
    );
    await microtask();
    const after = snapshot.get();
    expect(after.namespaces).not.toBe(before.namespaces);
    expect(after.namespaces.get('/a')).toBe(before.namespaces.get('/a'));
    expect(after.nodes).toBe(before.nodes);
    expect(after.pods).toBe(before.pods);
    expect(after.synced).toBe(before.synced);
  });

  it('publishes nothing for a change that changes nothing', async () => {
    const { batch, clock, published } = setUp();
    batch.replace('namespaces', new Map([['/a', row('a')]]));
    await microtask();
    clock.advance(10);
    batch.change('namespaces', '/a', row('a'));
    batch.change('namespaces', '/gone', undefined);
    await microtask();
    expect(published).toHaveLength(1);
  });

  it('tells an empty kind that was listed from one that was not', async () => {
    const { batch, snapshot } = setUp();
    batch.replace('localRedirectPolicies', new Map());
    await microtask();
    expect(snapshot.get().synced.has('localRedirectPolicies')).toBe(true);
    expect(snapshot.get().synced.has('pods')).toBe(false);
  });

  it('publishes nothing after close', async () => {
    const { batch, clock, published } = setUp();
    batch.replace('namespaces', new Map());
    batch.close();
    await microtask();
    clock.advance(100);
    expect(published).toHaveLength(0);
  });
});
