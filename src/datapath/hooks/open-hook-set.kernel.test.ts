/** Our programs among others on an interface, by both ways, through restarts and removals. Needs root. */
import { mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeDirectory } from '../../sys/bpffs.ts';
import { listFilters, listHookQdiscs, removeClsact } from '../../sys/hook/filters.ts';
import { queryTcx } from '../../sys/hook/tcx.ts';
import { findInterface } from '../../sys/interface.ts';
import { openLibc } from '../../sys/libc.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { hangByFilter, hangByTcx, loadVerdict, NEXT, OK, type OtherOwner } from '../testing/other-owner.ts';
import { silentLog, TestNetwork } from '../testing/test-network.ts';
import type { HookSet, HookStatus } from './hook-set.ts';
import { type HookSetOptions, openHookSet } from './open-hook-set.ts';
import { removeFilters } from './own-filter.ts';

let network: TestNetwork;
let directory: string;
let ifindex: number;
let ifname: string;
let pods = 0;
let sets: HookSet[] = [];
let owners: OtherOwner[] = [];
let programs: Map<string, number>;

beforeAll(() => {
  network = new TestNetwork('hooks');
  network.enterNode();
  directory = join(network.mountBpffs(), 'abi-9', 'links');
  makeDirectory(directory);
  programs = load();
});

beforeEach(() => {
  const pod = network.addPod(`pod${pods}`, `172.20.0.${10 + pods++}`);
  ifname = pod.ifname;
  ifindex = findInterface(ifname)?.ifindex ?? 0;
});

afterEach(() => {
  for (const set of sets) {
    for (const one of set.ifindexes()) set.detach(one);
    set.close();
  }
  for (const owner of owners) owner.close();
  [sets, owners] = [[], []];
  if (findInterface(ifname) !== undefined) network.inNode('ip', 'link', 'del', ifname);
});

afterAll(async () => {
  for (const fd of programs.values()) openLibc().close(fd);
  await network.close();
});

/** Programs that see every packet and change nothing, as a build of ours would be. */
function load(): Map<string, number> {
  return new Map(['from_endpoint', 'to_endpoint'].map((name) => [name, loadVerdict(`zh_${name}`, NEXT)]));
}

function open(options: Partial<HookSetOptions> = {}): HookSet {
  const set = openHookSet({ directory, programs, clock: systemClock, log: silentLog, ...options });
  sets.push(set);
  return set;
}

function tcx(
  name: string,
  place: 'first' | 'last',
  direction: 'in' | 'out' = 'in',
  verdict = NEXT,
): OtherOwner {
  const owner = hangByTcx(ifindex, { name, verdict, place, direction });
  owners.push(owner);
  return owner;
}

function filter(name: string, priority: number, verdict = NEXT, direction: 'in' | 'out' = 'in'): void {
  hangByFilter({ ifindex, direction, priority, handle: 1 }, { name, verdict });
}

function filterNames(direction: 'in' | 'out' = 'in'): readonly string[] {
  return listFilters(ifindex, direction).map(({ name }) => name);
}

function tcxCount(direction: 'in' | 'out' = 'in'): number {
  return queryTcx(ifindex, direction)?.length ?? 0;
}

async function until(set: HookSet, isSo: (status: HookStatus | undefined) => boolean): Promise<void> {
  await expect.poll(() => isSo(set.status(ifindex)), { timeout: 30_000 }).toBe(true);
}

describe.each(['tcx', 'clsact'] as const)('alone, by %s,', (only) => {
  test('attach hangs both programs, and again changes nothing', () => {
    const set = open({ only });
    const status = { kind: only, order: 'alone', others: [] };
    expect(set.attach(ifindex)).toEqual(status);
    expect(set.attach(ifindex)).toEqual(status);
    expect(set.status(ifindex)).toEqual(status);
    expect(set.ifindexes()).toEqual([ifindex]);
    expect(set.sweep()).toEqual([ifindex]);
    expect([tcxCount('in'), tcxCount('out')]).toEqual(only === 'tcx' ? [1, 1] : [0, 0]);
    expect([...filterNames('in'), ...filterNames('out')]).toEqual(
      only === 'tcx' ? [] : ['zerohop_in', 'zerohop_out'],
    );
  });

  test('detach leaves nothing, not even the qdisc that came with us', () => {
    const set = open({ only });
    set.attach(ifindex);
    set.detach(ifindex);
    expect([tcxCount('in'), tcxCount('out')]).toEqual([0, 0]);
    expect(listHookQdiscs()).toEqual([]);
    expect(set.ifindexes()).toEqual([]);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('what hangs outlives its process, and the next one swaps its own programs in', () => {
    const first = open({ only });
    first.attach(ifindex);
    first.close();
    const others = load();
    const next = open({ only, programs: others });
    expect(next.ifindexes()).toEqual([ifindex]);
    next.inherit();
    expect(next.status(ifindex)).toMatchObject({ kind: only, order: 'alone' });
    const hung = only === 'tcx' ? queryTcx(ifindex, 'in') : listFilters(ifindex, 'in');
    expect(hung).toHaveLength(1);
    for (const fd of others.values()) openLibc().close(fd);
  });

  test('an interface that goes is forgotten with its pins', async () => {
    const set = open({ only });
    set.attach(ifindex);
    network.inNode('ip', 'link', 'del', ifname);
    expect(set.sweep()).toEqual([]);
    expect(set.ifindexes()).toEqual([]);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('an interface that is not there is refused, and not remembered', () => {
    const set = open({ only });
    expect(() => set.attach(999_999)).toThrow(/interface 999999: ENODEV/);
    expect(set.ifindexes()).toEqual([]);
  });

  test('what somebody takes away comes back', async () => {
    const set = open({ only });
    set.attach(ifindex);
    if (only === 'clsact') removeClsact(ifindex);
    else network.inNode('sh', '-c', `rm ${directory}/${ifindex}-in`);
    await expect
      .poll(() => (only === 'clsact' ? filterNames() : tcxCountNow()), { timeout: 30_000 })
      .toEqual(only === 'clsact' ? ['zerohop_in'] : 1);
  });
});

function tcxCountNow(): number {
  return tcxCount('in');
}

describe('last', () => {
  test('goes behind a TCX owner', () => {
    tcx('cni_in', 'last');
    expect(open().attach(ifindex)).toMatchObject({
      kind: 'tcx',
      order: 'after',
      others: [{ kind: 'tcx', name: 'cni_in', direction: 'in', ahead: true }],
    });
  });

  test('moves behind a TCX owner that comes later, and tells', async () => {
    const set = open();
    const told: number[] = [];
    set.onChange((ifindexes) => told.push(...ifindexes));
    expect(set.attach(ifindex)).toMatchObject({ order: 'alone' });
    tcx('cni_late', 'last');
    await until(set, (status) => status?.order === 'after');
    expect(set.status(ifindex)).toMatchObject({
      kind: 'clsact',
      others: [{ name: 'cni_late', ahead: true }],
    });
    expect(told).toContain(ifindex);
    expect([tcxCount('in'), ...filterNames('in')]).toEqual([1, 'zerohop_in']);
  });

  test('notices that an owner has gone', async () => {
    const owner = tcx('cni_short', 'first');
    const set = open();
    expect(set.attach(ifindex)).toMatchObject({ order: 'after' });
    owner.close();
    await until(set, (status) => status?.order === 'alone');
  });

  test.each([
    { name: 'that lets others run', verdict: NEXT },
    { name: 'that ends the chain', verdict: OK },
  ])('goes behind a clsact owner at priority 1 $name', ({ verdict }) => {
    filter('cil_from_container', 1, verdict);
    const status = open().attach(ifindex);
    expect(status).toMatchObject({
      kind: 'clsact',
      order: 'after',
      others: [{ kind: 'clsact', name: 'cil_from_container', priority: 1, direction: 'in', ahead: true }],
    });
    expect(filterNames()).toEqual(['cil_from_container', 'zerohop_in']);
  });

  test('goes behind the highest priority number there is room behind', async () => {
    const set = open();
    filter('late_filter', 60_000);
    expect(set.attach(ifindex)).toMatchObject({ order: 'after' });
    filter('later_filter', 60_100);
    await until(set, (status) => status?.order === 'after' && status.others.length === 2);
    expect(filterNames()).toEqual(['late_filter', 'later_filter', 'zerohop_in']);
  });

  test('stays ahead, and says so, where nobody can be behind', () => {
    filter('lowest', 65_535);
    expect(open().attach(ifindex)).toMatchObject({
      order: 'before',
      others: [{ name: 'lowest', ahead: false }],
    });
  });

  test('leaves the qdisc and the filters of others when it goes', () => {
    filter('cni', 1);
    const set = open();
    set.attach(ifindex);
    set.detach(ifindex);
    expect(filterNames()).toEqual(['cni']);
    removeClsact(ifindex);
  });

  test('hangs on an ingress qdisc of others on the way in, and by TCX on the way out', () => {
    network.inNode('tc', 'qdisc', 'add', 'dev', ifname, 'ingress');
    hangByFilter({ ifindex, direction: 'in', priority: 3, handle: 1 }, { name: 'bandwidth', verdict: NEXT });
    const set = open();
    expect(set.attach(ifindex)).toMatchObject({
      order: 'after',
      others: [{ name: 'bandwidth', ahead: true }],
    });
    expect(filterNames('in')).toEqual(['bandwidth', 'zerohop_in']);
    expect(tcxCount('out')).toBe(1);
  });

  test('refuses an ingress qdisc of others where there is no TCX, and says what to do', () => {
    network.inNode('tc', 'qdisc', 'add', 'dev', ifname, 'ingress');
    const taken = expect.objectContaining({ code: 'DATAPATH_HOOK_TAKEN' });
    expect(() => open({ only: 'clsact' }).attach(ifindex)).toThrow(taken);
  });
});

describe('first', () => {
  test('goes ahead of a TCX owner', () => {
    tcx('cni_in', 'first');
    expect(open({ order: 'first' }).attach(ifindex)).toMatchObject({
      kind: 'tcx',
      order: 'before',
      others: [{ name: 'cni_in', ahead: false }],
    });
  });

  test('moves ahead of a TCX owner that comes later, leaving no second program behind', async () => {
    const set = open({ order: 'first' });
    set.attach(ifindex);
    tcx('cni_first', 'first');
    await until(set, (status) => status?.others[0]?.ahead === false);
    expect([tcxCount('in'), filterNames('in')]).toEqual([2, []]);
  });

  test('is ahead of a clsact owner at priority 1, by TCX and by clsact', () => {
    filter('cni', 1);
    expect(open({ order: 'first' }).attach(ifindex)).toMatchObject({ kind: 'tcx', order: 'before' });
    for (const set of sets) set.detach(ifindex);
    expect(open({ order: 'first', only: 'clsact' }).attach(ifindex)).toMatchObject({
      kind: 'clsact',
      order: 'before',
      others: [{ name: 'cni', ahead: false }],
    });
    expect(filterNames()).toEqual(['zerohop_in', 'cni']);
  });
});

describe('removeFilters', () => {
  test('takes filters of ours away without pins, and leaves those of others', () => {
    filter('cni', 1);
    const set = open({ only: 'clsact' });
    set.attach(ifindex);
    set.close();
    removeFilters('/sys/fs/bpf/zerohop-test-absent/links');
    expect(filterNames('in')).toEqual(['cni']);
    expect(filterNames('out')).toEqual([]);
  });

  test('takes the qdisc along that came with us', () => {
    const set = open({ only: 'clsact' });
    set.attach(ifindex);
    set.close();
    removeFilters(directory);
    expect(listHookQdiscs().map((row) => row.ifindex)).not.toContain(ifindex);
  });
});

test('what could not be put right is put right once the reason has gone, without another change', async () => {
  const said: string[] = [];
  const set = open({ only: 'tcx', log: { ...silentLog, warning: (text) => said.push(text) } });
  set.attach(ifindex);
  const pin = join(directory, `${ifindex}-in`);
  unlinkSync(pin);
  mkdirSync(pin);
  await expect.poll(() => said.length, { timeout: 30_000 }).toBe(1);
  rmdirSync(pin);
  await expect.poll(() => queryTcx(ifindex, 'in'), { timeout: 30_000 }).toHaveLength(1);
  await expect.poll(() => set.status(ifindex)?.order, { timeout: 30_000 }).toBe('alone');
});

test('what the kernel refuses in between is told, and the other interfaces are looked after as before', async () => {
  const said: string[] = [];
  const set = open({ only: 'tcx', log: { ...silentLog, error: (text) => said.push(text) } });
  set.attach(ifindex);
  const other = network.addPod('beside', '172.20.1.10');
  const beside = findInterface(other.ifname)?.ifindex ?? 0;
  set.attach(beside);
  const pin = join(directory, `${ifindex}-in`);
  unlinkSync(pin);
  mkdirSync(pin);
  network.inNode('ip', 'link', 'del', ifname);
  await expect.poll(() => said.length, { timeout: 30_000 }).toBe(1);
  rmdirSync(pin);
  network.inNode('ip', 'link', 'del', other.ifname);
  await expect.poll(() => set.ifindexes(), { timeout: 30_000 }).not.toContain(beside);
});
