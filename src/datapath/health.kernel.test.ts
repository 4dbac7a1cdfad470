/** What is known of a backend beside its socket, with real packets and over restarts of the agent. Needs root. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findInterface } from '../sys/interface.ts';
import { openLibc, PROT_READ, PROT_WRITE } from '../sys/libc.ts';
import type { Datapath, GoneBackend } from './datapath.ts';
import { DNS_PORT, toIp } from './testing/conformance.ts';
import { hangByTcx, NEXT, type OtherOwner } from './testing/other-owner.ts';
import { FALLBACK, LOCAL, RedirectRig } from './testing/redirect-rig.ts';

const SEAT = 9;
const HOUR_NS = 3_600_000_000_000n;

let rig: RedirectRig;
let datapath: Datapath;
const backend = () => ({ address: toIp(rig.backend.address), port: DNS_PORT });
const both = (answer: string) => [answer, answer];

beforeAll(async () => {
  rig = await RedirectRig.open('health');
});
afterAll(() => rig.close());
beforeEach(async () => {
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
});
afterEach(() => datapath.remove());

test('a process that beats in the memory it was given is redirected to while it does', () => {
  const { fd, seats, beatBytes } = datapath.beats;
  const mapping = openLibc().mmap(fd, seats * beatBytes, PROT_READ | PROT_WRITE, 0);
  if (typeof mapping === 'number') throw new Error(`Cannot map the beats: ${mapping}`);
  const beats = new BigUint64Array(mapping.memory, SEAT * beatBytes, beatBytes / 8);
  datapath.setHealth({ ...backend(), seat: SEAT });
  expect(rig.ask()).toEqual(both(FALLBACK));
  // As long as this test may take on a busy machine.
  beats[0] = process.hrtime.bigint() + HOUR_NS;
  expect(rig.ask()).toEqual(both(LOCAL));
  beats[1] = 1n;
  expect(rig.ask()).toEqual(both(FALLBACK));
  expect(datapath.counters().fellBack['no-heartbeat']).toBeGreaterThanOrEqual(4n);
  beats[1] = 0n;
  expect(rig.ask()).toEqual(both(LOCAL));
  beats.fill(0n);
  mapping.unmap();
});

test('a beat is late after the deadline that was asked for', async () => {
  datapath.close();
  datapath = rig.openDatapath({ beatDeadlineMs: 60_000 });
  await datapath.apply(rig.spec());
  const { fd, seats, beatBytes } = datapath.beats;
  const mapping = openLibc().mmap(fd, seats * beatBytes, PROT_READ | PROT_WRITE, 0);
  if (typeof mapping === 'number') throw new Error(`Cannot map the beats: ${mapping}`);
  const beats = new BigUint64Array(mapping.memory, SEAT * beatBytes, beatBytes / 8);
  datapath.setHealth({ ...backend(), seat: SEAT });
  beats[0] = process.hrtime.bigint() - 1_000_000_000n;
  expect(rig.ask()).toEqual(both(LOCAL));
  beats[0] = process.hrtime.bigint() - 61_000_000_000n;
  expect(rig.ask()).toEqual(both(FALLBACK));
  beats.fill(0n);
  mapping.unmap();
});

test('a probe that failed counts from the next packet on, and outlives the agent that made it', async () => {
  datapath.setHealth({ ...backend(), down: 'no answer in 200 ms' });
  expect(rig.ask()).toEqual(both(FALLBACK));
  datapath.close();
  expect(rig.ask()).toEqual(both(FALLBACK));
  datapath = rig.openDatapath();
  expect(datapath.health()).toMatchObject([{ ...backend(), down: expect.any(String) }]);
  await datapath.apply(rig.spec());
  expect(rig.ask()).toEqual(both(FALLBACK));
  datapath.setHealth(backend());
  expect(datapath.health()).toEqual([backend()]);
  expect(rig.ask()).toEqual(both(LOCAL));
});

test('what is said of a backend before it is one holds once it is', async () => {
  await datapath.apply({ ...rig.spec(), frontends: [] });
  expect(datapath.health()).toEqual([]);
  datapath.setHealth({ ...backend(), seat: SEAT });
  await datapath.apply(rig.spec());
  expect(rig.ask()).toEqual(both(FALLBACK));
  datapath.setHealth(backend());
  expect(rig.ask()).toEqual(both(LOCAL));
});

test('backends that nobody redirects to any more are told of, once', async () => {
  const heard: GoneBackend[] = [];
  datapath.onBackendsGone((gone) => heard.push(...gone));
  await datapath.apply({ ...rig.spec(), frontends: rig.spec().frontends.slice(0, 1) });
  expect(heard).toEqual([{ ...backend(), protocol: 'TCP' }]);
  await datapath.apply({ ...rig.spec(), frontends: [] });
  await datapath.apply({ ...rig.spec(), frontends: [] });
  expect(heard).toEqual([
    { ...backend(), protocol: 'TCP' },
    { ...backend(), protocol: 'UDP' },
  ]);
  expect(datapath.health()).toEqual([]);
});

describe('where somebody else comes behind us', () => {
  let other: OtherOwner;

  beforeEach(async () => {
    datapath.remove();
    const ifindex = findInterface(rig.client.ifname)?.ifindex ?? 0;
    other = hangByTcx(ifindex, { name: 'cni_policy', verdict: NEXT, place: 'last' });
    datapath = rig.openDatapath({ hookOrder: 'first' });
  });
  afterEach(() => other.close());

  test('a pod is redirected only with permission, which can be given and taken', async () => {
    const row = () => datapath.interfaces().find(({ pod }) => pod === 'default/client');
    await datapath.apply(rig.spec());
    expect(row()).toMatchObject({ permitted: false, redirects: false, hook: { order: 'before' } });
    expect(rig.ask()).toEqual(both(FALLBACK));
    await datapath.apply(rig.spec({ permitted: true }));
    expect(row()).toMatchObject({ permitted: true, redirects: true });
    expect(rig.ask()).toEqual(both(LOCAL));
    await datapath.apply(rig.spec());
    expect(rig.ask()).toEqual(both(FALLBACK));
    expect(datapath.counters().fellBack['not-permitted']).toBeGreaterThanOrEqual(4n);
  });
});
