import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { objectKey, type ServiceRow } from '../../../cluster/rows.ts';
import { type ClusterSnapshot, EMPTY_SNAPSHOT, type KindName } from '../../../cluster/snapshot.ts';
import { createStore } from '../../../store/store.ts';
import { VirtualClock } from '../../../telemetry/virtual-clock.ts';
import { ip } from '../../fake-query.ts';
import {
  clusterSnapshot,
  podRow,
  type SliceFixture,
  serviceRow,
  sliceRow,
} from '../cases/cluster-fixture.ts';
import { createServiceIndex } from './service-index.ts';

const ALL: readonly KindName[] = ['services', 'namespaces', 'endpointSlices', 'pods'];
const START_SECONDS = new VirtualClock().nowMs() / 1000;

const web = serviceRow({ ns: 'ns', name: 'web', ips: ['10.96.0.1'], ports: ['http 80/TCP'] });
const slice: SliceFixture = { ns: 'ns', service: 'web', name: 'web-1', endpoints: [{ ips: ['10.0.0.1'] }] };

function follow(first: ClusterSnapshot, kinds = ALL) {
  const clock = new VirtualClock();
  const store = createStore(first);
  const index = createServiceIndex({ clock, kinds });
  const unfollow = index.follow(store);
  return { clock, store, index, unfollow };
}

function withServices(...rows: readonly ServiceRow[]): ClusterSnapshot {
  return { ...EMPTY_SNAPSHOT, services: new Map(rows.map((row) => [objectKey(row), row])) };
}

describe('createServiceIndex', () => {
  it('finds a service that came, and no longer one that went', () => {
    const { store, index } = follow(EMPTY_SNAPSHOT);
    store.set(withServices(web));
    expect(index.service('ns', 'web')).toBe(web);
    expect(index.servicesAt(ip('10.96.0.1'))).toEqual([web]);
    store.set(EMPTY_SNAPSHOT);
    expect(index.service('ns', 'web')).toBeUndefined();
    expect(index.servicesAt(ip('10.96.0.1'))).toEqual([]);
  });

  it('forgets an address that a service has given up', () => {
    const { store, index } = follow(withServices(web));
    store.set(withServices({ ...web, clusterIPs: [ip('10.96.0.2')] }));
    expect(index.servicesAt(ip('10.96.0.1'))).toEqual([]);
    expect(index.servicesAt(ip('10.96.0.2'))).toHaveLength(1);
  });

  it('looks at all rows when a snapshot tells only of one that it has not seen', () => {
    const { store, index } = follow(EMPTY_SNAPSHOT);
    store.set({ ...withServices(web), generation: 5, changed: new Map() });
    expect(index.service('ns', 'web')).toBe(web);
    expect(index.servicesAt(ip('10.96.0.1'))).toEqual([web]);
  });

  it('stands still after the follower has let go', () => {
    const { store, index, unfollow } = follow(EMPTY_SNAPSHOT);
    unfollow();
    store.set(withServices(web));
    expect(index.service('ns', 'web')).toBeUndefined();
  });

  it('is synced when every needed kind has been listed', () => {
    const { store, index } = follow(clusterSnapshot({}, ['services']), ['services', 'namespaces']);
    expect(index.synced()).toBe(false);
    store.set(clusterSnapshot({}, ['services', 'namespaces']));
    expect(index.synced()).toBe(true);
  });

  it('does not show kinds it was not asked for', () => {
    const cluster = clusterSnapshot({ slices: [slice], pods: [{ ns: 'ns', name: 'p', ips: ['10.0.0.9'] }] });
    const { index } = follow(cluster, ['services', 'namespaces']);
    expect(index.slicesOf('ns', 'web')).toEqual([]);
    expect(index.slicesAt(ip('10.0.0.1'))).toEqual([]);
    expect(index.podsAt(ip('10.0.0.9'))).toEqual([]);
  });
});

describe('pods of createServiceIndex', () => {
  const pod = (deleting: boolean, app = 'a') => {
    const row = { ...podRow({ ns: 'ns', name: 'p', ips: ['10.0.0.9'], labels: { app } }), deleting };
    return { ...EMPTY_SNAPSHOT, pods: new Map([[objectKey(row), row]]) };
  };
  const known = (...history: readonly ClusterSnapshot[]) => {
    const { store, index } = follow(EMPTY_SNAPSHOT);
    for (const snapshot of history) store.set(snapshot);
    return index.podsAt(ip('10.0.0.9')).length;
  };

  it.each([
    ['one that runs', [pod(false)], 1],
    ['one that goes, until it is gone', [pod(false), pod(true)], 1],
    ['none that is gone', [pod(false), pod(true), EMPTY_SNAPSHOT], 0],
    ['none that was going when it was first seen', [pod(true)], 0],
    ['none that was going when it was first seen, whatever changes on it', [pod(true), pod(true, 'b')], 0],
    ['one that came back under its name', [pod(true), EMPTY_SNAPSHOT, pod(false)], 1],
  ])('are known: %s', (_case, history, count) => {
    expect(known(...history)).toBe(count);
  });
});

describe('the serial of createServiceIndex', () => {
  it('is 0 before anything is known, and the time of the change afterwards', () => {
    const { clock, store, index } = follow(EMPTY_SNAPSHOT);
    expect(index.serial()).toBe(0);
    clock.pass(10_900);
    store.set(withServices(web));
    expect(index.serial()).toBe(START_SECONDS + 10);
  });

  it.each([
    ['a service that goes', EMPTY_SNAPSHOT],
    ['a new cluster address', withServices({ ...web, clusterIPs: [ip('10.96.0.9')] })],
    [
      'a renamed port',
      withServices(serviceRow({ ns: 'ns', name: 'web', ips: ['10.96.0.1'], ports: ['web 80/TCP'] })),
    ],
    ['a new slice', { ...withServices(web), ...endpoints(slice) }],
  ])('moves with %s', (_case, next) => {
    const { clock, store, index } = follow(withServices(web));
    clock.pass(5000);
    store.set(next);
    expect(index.serial()).toBe(START_SECONDS + 5);
  });

  it.each([
    ['an update that changes no answer', withServices({ ...web, selector: { app: 'other' } })],
    [
      'a namespace',
      { ...withServices(web), namespaces: clusterSnapshot({ namespaces: ['new'] }).namespaces },
    ],
    ['another kind', { ...withServices(web), nodes: new Map() }],
  ])('stays with %s', (_case, next) => {
    const { clock, store, index } = follow(withServices(web));
    clock.pass(5000);
    store.set(next);
    expect(index.serial()).toBe(START_SECONDS);
  });

  it('stays when an endpoint that was not ready changes, and moves when it becomes ready', () => {
    const unready = (address: string, ready = false) =>
      endpoints({ ...slice, endpoints: [{ ips: ['10.0.0.1'] }, { ips: [address], ready }] });
    const { clock, store, index } = follow({ ...EMPTY_SNAPSHOT, ...unready('10.0.0.2') });
    clock.pass(1000);
    store.set({ ...EMPTY_SNAPSHOT, ...unready('10.0.0.3') });
    expect(index.serial()).toBe(START_SECONDS);
    clock.pass(1000);
    store.set({ ...EMPTY_SNAPSHOT, ...unready('10.0.0.3', true) });
    expect(index.serial()).toBe(START_SECONDS + 2);
  });

  it('moves with a pod address, not with a pod label', () => {
    const pods = (address: string, app: string) => {
      const row = podRow({ ns: 'ns', name: 'p', ips: [address], labels: { app } });
      return { ...EMPTY_SNAPSHOT, pods: new Map([[objectKey(row), row]]) };
    };
    const { clock, store, index } = follow(pods('10.0.0.1', 'a'));
    clock.pass(1000);
    store.set(pods('10.0.0.1', 'b'));
    expect(index.serial()).toBe(START_SECONDS);
    store.set(pods('10.0.0.2', 'b'));
    expect(index.serial()).toBe(START_SECONDS + 1);
  });
});

function endpoints(fixture: SliceFixture): Pick<ClusterSnapshot, 'endpointSlices'> {
  const row = sliceRow(fixture);
  return { endpointSlices: new Map([[objectKey(row), row]]) };
}

/** As a watch publishes it: every other time it says what it changed, with a key too many. */
function numbered(before: ClusterSnapshot, snapshot: ClusterSnapshot, step: number): ClusterSnapshot {
  const generation = before.generation + 1;
  if (step % 2 === 0) return { ...snapshot, generation };
  const keys = new Set([...before.endpointSlices.keys(), ...snapshot.endpointSlices.keys(), 'ns/none']);
  return { ...snapshot, generation, changed: new Map([['endpointSlices', keys]]) };
}

const anyAddress = fc.integer({ min: 1, max: 4 }).map((last) => `10.0.0.${last}`);
const anySlice = fc.record({
  ns: fc.constant('ns'),
  name: fc.constantFrom('a', 'b', 'c'),
  service: fc.constantFrom('web', 'db'),
  endpoints: fc.array(
    fc.record({ ips: fc.array(anyAddress, { minLength: 1, maxLength: 2 }), ready: fc.boolean() }),
    {
      maxLength: 3,
    },
  ),
});

describe('createServiceIndex over any history', () => {
  it('knows the same as one that saw only the last snapshot', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(anySlice, { selector: (one) => one.name }), { minLength: 1 }),
        (history) => {
          const snapshots = history.map((slices) => clusterSnapshot({ slices }));
          const { store, index } = follow(EMPTY_SNAPSHOT);
          for (const [step, snapshot] of snapshots.entries())
            store.set(numbered(store.get(), snapshot, step));
          const fresh = follow(store.get()).index;
          for (const last of [1, 2, 3, 4]) {
            expect(new Set(index.slicesAt(ip(`10.0.0.${last}`)))).toEqual(
              new Set(fresh.slicesAt(ip(`10.0.0.${last}`))),
            );
          }
          for (const name of ['web', 'db']) {
            expect(new Set(index.slicesOf('ns', name))).toEqual(new Set(fresh.slicesOf('ns', name)));
          }
        },
      ),
    );
  });
});
