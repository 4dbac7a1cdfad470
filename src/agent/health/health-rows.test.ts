import { beforeEach, describe, expect, it } from 'vitest';
import { createFakeKernel, type FakeKernel, openFakeDatapath } from '../../datapath/fake-datapath.ts';
import { toIp, toPortOrThrow } from '../../datapath/testing/conformance.ts';
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import type { CacheRow } from './cache-desk.ts';
import { HealthRows, type Place } from './health-rows.ts';

const PORT = toPortOrThrow('53');
const A: Place = { address: toIp('172.20.1.9'), port: PORT };
const B: Place = { address: toIp('169.254.20.10'), port: PORT };

function cache(seat: number, places: readonly Place[], state: CacheRow['state'] = 'beating'): CacheRow {
  const addresses = places.map(({ address }) => address);
  return { seat, state, sinceMs: 0, hello: { version: 1, addresses, ports: [PORT], threads: 1 } };
}

let kernel: FakeKernel;
let caches: readonly CacheRow[];
let probed: ReturnType<Parameters<typeof open>[0]['probed']>;
let rows: HealthRows;

function open(sources: ConstructorParameters<typeof HealthRows>[1]): HealthRows {
  return new HealthRows(openFakeDatapath({ kernel, clock: new VirtualClock() }), sources);
}
const start = () => {
  rows = open({ caches: () => caches, probed: () => probed });
};
const written = () =>
  [...kernel.health.values()].filter(({ seat, down }) => seat !== undefined || down !== undefined);

beforeEach(() => {
  kernel = createFakeKernel();
  [caches, probed] = [[], undefined];
});

describe('HealthRows', () => {
  it('asks for the beats of a cache wherever it serves, from its first beat until it is gone', () => {
    start();
    caches = [cache(3, [A, B], 'seated')];
    rows.sync();
    expect(written()).toEqual([]);
    caches = [cache(3, [A, B])];
    rows.sync();
    expect(written()).toEqual([
      { ...A, seat: 3 },
      { ...B, seat: 3 },
    ]);
    caches = [];
    rows.sync();
    expect(written()).toEqual([]);
  });

  it('writes nothing that stands there already', () => {
    const calls: Place[] = [];
    rows = new HealthRows(
      { setHealth: (row) => void calls.push(row), health: () => [] },
      { caches: () => caches, probed: () => undefined },
    );
    caches = [cache(3, [A])];
    for (let i = 0; i < 3; i++) rows.sync();
    expect(calls).toHaveLength(1);
  });

  it('leaves a cache before it ends, and not the one beside it at the same address', () => {
    start();
    caches = [cache(3, [A]), cache(4, [A])];
    rows.sync([A]);
    expect(written()).toEqual([{ ...A, seat: 4 }]);
    caches = [cache(3, [A]), cache(4, [A], 'leaving')];
    rows.sync();
    expect(written()).toEqual([{ ...A, seat: 3 }]);
    caches = [cache(3, [A], 'leaving'), cache(4, [A], 'leaving')];
    rows.sync();
    expect(written()).toEqual([{ ...A, seat: 4, down: 'it is about to end' }]);
    caches = [cache(3, [A], 'leaving'), cache(5, [A])];
    rows.sync();
    expect(written()).toEqual([{ ...A, seat: 5 }]);
  });

  it('says what probes say', () => {
    start();
    probed = { down: 'no answer' };
    rows.sync([A]);
    expect(written()).toEqual([{ ...A, down: 'no answer' }]);
    probed = 'answers';
    rows.sync([A]);
    expect(written()).toEqual([]);
    probed = { down: 'no answer' };
    rows.sync([A]);
    rows.sync([]);
    probed = undefined;
    rows.sync([]);
    expect(written()).toEqual([]);
  });
});

describe('HealthRows after an earlier agent', () => {
  beforeEach(() => {
    kernel.health.set('a', { ...A, seat: 7 });
    start();
  });
  const a = () => kernel.health.get('a');
  /** The fake keeps rows by place; the first one was put there by hand. */
  const now = () => kernel.health.get(`${A.address} ${A.port}`);

  it('keeps a seat whose process comes back for it', () => {
    rows.sync([A]);
    expect(rows.inheritedSeats).toEqual([7]);
    caches = [cache(7, [A])];
    rows.sync();
    rows.stopAwaitingOwners();
    expect(rows.inheritedSeats).toEqual([]);
    expect([a(), now()]).toEqual([{ ...A, seat: 7 }, undefined]);
  });

  it('takes one away that nobody came back for, once a probe was answered there', () => {
    rows.sync([A]);
    rows.stopAwaitingOwners();
    expect([rows.inheritedSeats, now()]).toEqual([[7], undefined]);
    probed = 'answers';
    rows.sync([A]);
    expect([rows.inheritedSeats, now()]).toEqual([[], { ...A }]);
  });

  it('takes one away that nobody came back for and nobody asks about', () => {
    rows.sync([]);
    expect(now()).toBeUndefined();
    rows.stopAwaitingOwners();
    expect(now()).toEqual({ ...A });
  });

  it('gives the address to another process that serves it', () => {
    rows.sync([A]);
    caches = [cache(8, [A])];
    rows.sync();
    expect([rows.inheritedSeats, now()]).toEqual([[], { ...A, seat: 8 }]);
  });

  it('keeps a backend down until a probe has spoken', () => {
    kernel.health.clear();
    kernel.health.set('b', { ...B, down: 'an earlier agent found it so' });
    start();
    rows.sync([B]);
    expect(kernel.health.size).toBe(1);
    probed = 'answers';
    rows.sync([B]);
    expect(kernel.health.get(`${B.address} ${B.port}`)).toEqual({ ...B });
  });
});
