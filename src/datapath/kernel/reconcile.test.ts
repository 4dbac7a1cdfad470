/** What the reconciler writes, counted: the maps, places and hooks are without a kernel. */
import { beforeEach, describe, expect, test } from 'vitest';
import { ipFromBytes } from '../../net/ip.ts';
import type { Frontend } from '../../policy/table.ts';
import type { LocalPod } from '../datapath.ts';
import { redirectedFrontend, toIp } from '../testing/conformance.ts';
import { FakeHooks, FakePlaces } from '../testing/fake-places.ts';
import { MemoryMap } from '../testing/memory-map.ts';
import {
  decodeEndpoint,
  decodeEndpointKey,
  ENDPOINT_ANSWERED,
  ENDPOINT_OBSERVE_ONLY,
  FRONTEND_SLOTS_SIZE,
  HEALTH_SIZE,
} from './abi.gen.ts';
import { EndpointTable } from './endpoint-table.ts';
import { FrontendRows } from './frontend-rows.ts';
import { HealthTable } from './health-table.ts';
import { InterfaceRows } from './interface-rows.ts';
import { KernelTable } from './kernel-table.ts';

const NONE = new Set<string>();
const log = { warning: () => undefined };
const now = () => 0;
const address = (second: number, i: number) => ipFromBytes(Uint8Array.of(10, second, i >> 8, i & 255));

describe('4,000 frontends with 100 backends', () => {
  let maps: Record<'frontends' | 'slots' | 'backends' | 'health', MemoryMap>;
  let places: FakePlaces;
  let rows: FrontendRows;
  let wanted: Frontend[];
  const calls = () => Object.values(maps).reduce((sum, map) => sum + map.calls, 0);
  const countCalls = (act: () => void) => {
    const before = calls();
    act();
    return calls() - before;
  };
  const apply = (recheck = false) => {
    rows.apply(wanted, NONE, recheck);
    return rows.prune();
  };

  beforeEach(() => {
    maps = {
      frontends: new MemoryMap(),
      slots: new MemoryMap(FRONTEND_SLOTS_SIZE),
      backends: new MemoryMap(),
      health: new MemoryMap(HEALTH_SIZE),
    };
    places = new FakePlaces();
    for (let i = 0; i < 101; i++) places.put(address(1, i), i + 10);
    const table = new KernelTable(maps, new HealthTable(maps.health));
    rows = new FrontendRows({ places, table, log, now });
    wanted = Array.from({ length: 4000 }, (_, i) =>
      redirectedFrontend(address(2, i), 'UDP', [address(1, i % 100)]),
    );
    apply();
  });

  test('all are in the kernel, and asking for the same again writes and looks up nothing', () => {
    expect([maps.frontends.size, maps.backends.size]).toEqual([4000, 100]);
    const { finds } = places;
    expect(countCalls(() => apply())).toBe(0);
    wanted = [...wanted];
    expect(countCalls(() => apply())).toBe(0);
    expect(places.finds).toBe(finds);
  });

  test('frontends that are equal but other objects cost no system call either', () => {
    const before = rows.rows()[7];
    wanted = wanted.map((frontend) => ({ ...frontend }));
    expect(countCalls(() => apply())).toBe(0);
    expect(rows.rows()[7]?.status).toBe(before?.status);
    expect(rows.rows()[7]?.id).toBe(before?.id);
  });

  test('one that gets another backend is all that is written', () => {
    wanted[5] = redirectedFrontend(address(2, 5), 'UDP', [address(1, 100)]);
    // A look at its row of health, the backend, and its frontend's slots in two steps.
    expect(countCalls(() => apply())).toBe(4);
  });

  test('one that goes takes itself out, and its backend when it was the last', () => {
    wanted[5] = redirectedFrontend(address(2, 5), 'UDP', [address(1, 100)]);
    apply();
    wanted.splice(5, 1);
    let gone: readonly unknown[] = [];
    // The frontend, its slots in two steps, and the backend.
    expect(countCalls(() => (gone = apply()))).toBe(4);
    expect(gone).toEqual([{ address: address(1, 100), port: 53, protocol: 'UDP' }]);
    expect(rows.rows()).toHaveLength(3999);
  });

  test('a backend that moves to another interface is written with its frontends, and no other', () => {
    places.put(address(1, 3), 900);
    expect(countCalls(() => apply(true))).toBeLessThanOrEqual(1 + 40 * 2 + 1);
    expect(countCalls(() => apply(true))).toBe(0);
  });

  test('a backend that comes to this node only later is found when interfaces have changed', () => {
    wanted.push(redirectedFrontend(address(2, 4000), 'UDP', [address(3, 1)]));
    apply();
    expect(rows.rows().at(-1)?.status.state).toBe('error');
    places.put(address(3, 1), 901);
    apply(true);
    expect(rows.rows().at(-1)?.status).toMatchObject({ state: 'done' });
  });

  test('what went and came back between two specs that may not prune is not taken away', () => {
    const [first] = wanted.splice(0, 1);
    rows.apply(wanted, NONE, false);
    if (first !== undefined) wanted.unshift(first);
    apply();
    expect(maps.frontends.size).toBe(4000);
  });
});

describe('250 pods', () => {
  let endpointMap: MemoryMap;
  let places: FakePlaces;
  let hooks: FakeHooks;
  let rows: InterfaceRows;
  let pods: LocalPod[];
  const pod = (i: number, over: Partial<LocalPod> = {}): LocalPod => ({
    pod: `default/pod-${String(i).padStart(3, '0')}`,
    addresses: [address(1, i), toIp(`fd00::${(i + 1).toString(16)}`)],
    ...over,
  });
  const calls = () => endpointMap.calls + hooks.calls;
  const apply = async (recheck = false) => {
    const before = calls();
    await rows.apply(pods, { recheck, isClosed: () => false });
    rows.prune();
    return calls() - before;
  };
  const flagsOf = (i: number) => {
    const key = endpointMap.keys()[i];
    const value = key && endpointMap.lookup(key);
    return value && decodeEndpoint(value).flags;
  };

  beforeEach(async () => {
    endpointMap = new MemoryMap();
    places = new FakePlaces();
    hooks = new FakeHooks();
    for (let i = 0; i < 300; i++) places.put(address(1, i), i + 10);
    rows = new InterfaceRows({ places, hooks, endpoints: new EndpointTable(endpointMap), log, now });
    pods = Array.from({ length: 250 }, (_, i) => pod(i));
    await apply(true);
  });

  test('hang with all their addresses, and asking for the same again does nothing', async () => {
    expect([hooks.attached.size, endpointMap.size]).toEqual([250, 500]);
    const { finds } = places;
    expect(await apply()).toBe(0);
    pods = pods.map((one) => ({ ...one, addresses: [...one.addresses] }));
    expect(await apply()).toBe(0);
    expect(places.finds).toBe(finds);
  });

  test('one that comes is attached and written, and one that goes is taken away', async () => {
    pods.push(pod(250));
    // Attached, two addresses, and a look at what hangs where nobody is.
    expect(await apply()).toBeLessThanOrEqual(4);
    expect(hooks.attached.size).toBe(251);
    pods.splice(3, 1);
    expect(await apply()).toBeLessThanOrEqual(4);
    expect([hooks.attached.size, endpointMap.size]).toEqual([250, 500]);
    expect(hooks.attached.has(13)).toBe(false);
  });

  test('one that gets a new interface leaves the old one', async () => {
    places.put(address(1, 3), 800);
    await apply(true);
    expect([hooks.attached.has(800), hooks.attached.has(13)]).toEqual([true, false]);
    expect(rows.rows().find(({ ifindex }) => ifindex === 800)?.pod).toBe('default/pod-003');
  });

  test('one behind which somebody else hangs is only observed, until it is permitted or they go', async () => {
    const other = { kind: 'tcx', name: 'cni', id: 1, direction: 'in', ahead: false } as const;
    hooks.attached.set(10, { kind: 'tcx', order: 'before', others: [other] });
    await apply(true);
    expect(rows.rows()[0]).toMatchObject({ redirects: false, hook: { order: 'before', others: [other] } });
    expect(flagsOf(0)).toBe(ENDPOINT_OBSERVE_ONLY);
    pods[0] = pod(0, { permitted: true });
    await apply();
    expect(rows.rows()[0]).toMatchObject({ redirects: true, permitted: true });
    expect(flagsOf(0)).toBe(0);
    pods[0] = pod(0);
    hooks.attached.set(10, { kind: 'tcx', order: 'after', others: [{ ...other, ahead: true }] });
    await apply(true);
    expect(rows.rows()[0]).toMatchObject({ redirects: true, permitted: false });
  });

  test('those that serve come first and before the frontends, and the rest may be left to the next time', async () => {
    const others = new FakeHooks();
    const anew = new InterfaceRows({
      places,
      hooks: others,
      endpoints: new EndpointTable(endpointMap),
      log,
      now,
    });
    const urgent = new Set([address(1, 240), address(1, 249)]);
    let attachedBefore: readonly number[] = [];
    const afterUrgent = () => {
      attachedBefore = others.ifindexes();
    };
    const options = { recheck: false, isClosed: () => false, urgent, afterUrgent };
    expect(await anew.apply(pods, { ...options, isEnough: () => others.attached.size === 5 })).toBe(false);
    expect(attachedBefore).toEqual([250, 259]);
    expect(anew.rows()).toHaveLength(5);
    expect(await anew.apply(pods, { ...options, isEnough: () => others.attached.size === 5 })).toBe(true);
    expect(anew.rows()).toHaveLength(250);
  });

  test('nothing is touched any more after the end', async () => {
    const others = new FakeHooks();
    const anew = new InterfaceRows({
      places,
      hooks: others,
      endpoints: new EndpointTable(endpointMap),
      log,
      now,
    });
    const afterUrgent = () => expect.fail('it has ended');
    const urgent = new Set([address(1, 240)]);
    expect(await anew.apply(pods, { recheck: false, isClosed: () => true, urgent, afterUrgent })).toBe(false);
    expect(others.ifindexes()).toEqual([250]);
  });

  test('thousands that come and go leave nothing behind', async () => {
    const before = [hooks.attached.size, endpointMap.size, rows.rows().length];
    for (let i = 0; i < 3000; i++) {
      const one = address(4, i);
      places.put(one, 10_000 + i);
      pods.push(pod(1000 + i, { addresses: [one] }));
      if (pods.length > 255) places.locations.delete(pods.splice(250, 1)[0]?.addresses[0] ?? one);
      await apply(i % 100 === 0);
    }
    pods.length = 250;
    await apply();
    expect([hooks.attached.size, endpointMap.size, rows.rows().length]).toEqual(before);
  });

  test('one whose interface is not there yet is an error that goes when it comes', async () => {
    pods.push(pod(299), pod(500));
    await apply();
    expect(rows.rows().at(-1)).toMatchObject({
      pod: 'default/pod-500',
      status: { state: 'error' },
      redirects: false,
    });
    places.put(address(1, 500), 801);
    await apply(true);
    expect(rows.rows().at(-1)).toMatchObject({ status: { state: 'done', attempts: 2 }, redirects: true });
  });
});

describe('answers of pods, while 60 new ones are attached to,', () => {
  let endpointMap: MemoryMap;
  let places: FakePlaces;
  let hooks: FakeHooks;
  let rows: InterfaceRows;
  const pod = (i: number, over: Partial<LocalPod> = {}): LocalPod => ({
    pod: `default/pod-${String(i).padStart(3, '0')}`,
    addresses: [address(1, i), toIp(`fd00::${(i + 1).toString(16)}`)],
    answers: true,
    ...over,
  });
  const pods = (length: number) => Array.from({ length }, (_, i) => pod(i));
  const closed = (i: number) => pod(i, { answers: false });
  /** Of how many addresses the kernel may answer. */
  const answered = () =>
    endpointMap.keys().filter((key) => {
      const value = endpointMap.lookup(key);
      return value !== undefined && (decodeEndpoint(value).flags & ENDPOINT_ANSWERED) !== 0;
    });
  const isAnswered = (i: number) => {
    const ips = answered().map((key) => ipFromBytes(decodeEndpointKey(new DataView(key.buffer)).address));
    return pod(i).addresses.map((one) => ips.includes(one));
  };
  const answering = () =>
    rows
      .rows()
      .filter(({ answers }) => answers)
      .map((row) => row.pod);
  const apply = (
    wanted: readonly LocalPod[],
    { recheck, enough }: { recheck?: boolean; enough?: () => boolean } = {},
  ) => {
    rows.restrictAnswers(wanted, true);
    return rows.apply(wanted, {
      ...{ recheck: recheck ?? false, isClosed: () => false },
      isEnough: enough ?? (() => false),
    });
  };
  const agent = () =>
    new InterfaceRows({ places, hooks, endpoints: new EndpointTable(endpointMap), log, now });

  beforeEach(async () => {
    endpointMap = new MemoryMap();
    places = new FakePlaces();
    hooks = new FakeHooks();
    for (let i = 0; i < 100; i++) places.put(address(1, i), i + 10);
    rows = agent();
    await apply(pods(2), { recheck: true });
    expect([answered().length, answering().length]).toEqual([4, 2]);
  });

  test('are taken at the word, in one write for each address, and none is given that it takes', async () => {
    const attaching = apply(pods(62), { enough: () => hooks.attached.size >= 10 });
    expect(hooks.attached.size).toBeLessThan(10);
    const newest = pods(62).map((one, i) => (i === 0 || i === 5 || i === 50 ? closed(i) : one));
    const { calls } = endpointMap;
    rows.restrictAnswers(newest, true);
    expect(endpointMap.calls - calls).toBeLessThanOrEqual(4);
    expect([isAnswered(0), isAnswered(1)]).toEqual([
      [false, false],
      [true, true],
    ]);
    expect(answering()).not.toContain('default/pod-000');
    expect(await attaching).toBe(false);
    expect([isAnswered(4), isAnswered(5)]).toEqual([
      [true, true],
      [false, false],
    ]);
    expect(await apply(newest)).toBe(true);
    expect(answering()).toHaveLength(59);
    // What was taken comes back with the next word, though nothing else has changed.
    expect(await apply(pods(62))).toBe(true);
    expect([answered().length, answering().length]).toEqual([124, 62]);
  });

  test('are taken from those that an agent before this one left, as soon as they are known', async () => {
    rows = agent();
    rows.restrictAnswers([], false);
    expect(answered()).toHaveLength(4);
    rows.restrictAnswers([closed(0)], false);
    expect([isAnswered(0), isAnswered(1)]).toEqual([
      [false, false],
      [true, true],
    ]);
    rows.restrictAnswers([closed(0)], true);
    expect(answered()).toEqual([]);
  });

  test('are taken from one that went while not all is known yet', () => {
    rows.restrictAnswers([pod(0)], false);
    expect([isAnswered(0), isAnswered(1)]).toEqual([
      [true, true],
      [false, false],
    ]);
  });

  test('end where the interface is not found any more or cannot be attached to', async () => {
    places.locations.delete(address(1, 0));
    await apply(pods(2), { recheck: true });
    expect(rows.rows()[0]).toMatchObject({ answers: false, status: { state: 'error' } });
    expect([isAnswered(0), isAnswered(1)]).toEqual([
      [false, false],
      [true, true],
    ]);
    places.put(address(1, 1), 500);
    hooks.refused.add(500);
    await apply(pods(2), { recheck: true });
    expect(answered()).toEqual([]);
    hooks.refused.clear();
    places.put(address(1, 0), 10);
    await apply(pods(2), { recheck: true });
    expect([answered().length, answering().length]).toEqual([4, 2]);
  });

  test('do not wait behind one that can never be attached to', async () => {
    hooks.refused.add(12);
    for (let round = 0; round < 10; round++) await apply(pods(10), { enough: () => true });
    expect(answering()).toHaveLength(9);
  });
});
