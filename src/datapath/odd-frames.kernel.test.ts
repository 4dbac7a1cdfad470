/** Frames as no stack would make them, sent by a pod with raw sockets: what the backend and the node see. Needs root. */

import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Datapath, PacketEvent } from './datapath.ts';
import { toIp } from './testing/conformance.ts';
import { eventSink } from './testing/event-sink.ts';
import { RedirectRig, VIP } from './testing/redirect-rig.ts';
import { readCapture } from './testing/test-capture.ts';
import { buildPacket, type PacketShape, type ReadPacket } from './testing/test-packet.ts';

const PATIENTLY = { timeout: 20_000 };
const SCRIPT = join(import.meta.dirname, 'testing/test-frame-sender.ts');

let rig: RedirectRig;
let datapath: Datapath;
let capture: ChildProcess;
let captured: Buffer[];
let events: PacketEvent[];
let ports = 30_000;

const query = (over: Partial<PacketShape> = {}) =>
  buildPacket({
    protocol: 'UDP',
    source: toIp(rig.client.address),
    sourcePort: ++ports,
    destination: toIp(VIP),
    destinationPort: 53,
    payload: new TextEncoder().encode(`no DNS at all, ${ports}`),
    ...over,
  });
const send = (...frames: readonly Uint8Array[]) =>
  rig.network.run(
    rig.client.netns,
    process.execPath,
    SCRIPT,
    'eth0',
    ...frames.map((frame) => Buffer.from(frame).toString('hex')),
  );
const arrived = (): readonly ReadPacket[] =>
  readCapture(Buffer.concat(captured)).filter(({ destinationPort }) => destinationPort === 53);

beforeAll(async () => {
  rig = await RedirectRig.open('frames');
});
afterAll(() => rig.close());
beforeEach(async () => {
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
  [captured, events] = [[], []];
  datapath.onPackets(eventSink((event) => events.push(event)));
  capture = rig.network.spawn(
    rig.backend.netns,
    'tcpdump',
    '--immediate-mode',
    '-i',
    'eth0',
    '-U',
    '-w',
    '-',
    'port',
    '53',
  );
  capture.stdout?.on('data', (chunk: Buffer) => captured.push(chunk));
  await expect.poll(() => captured.length, PATIENTLY).toBeGreaterThan(0);
});
afterEach(async () => {
  await rig.network.kill(capture);
  datapath.remove();
});

test('bytes that are no DNS arrive as they are', async () => {
  const payload = Uint8Array.from({ length: 301 }, (_, i) => i & 0xff);
  send(query({ payload }), query({ payload: new Uint8Array() }));
  await expect.poll(() => arrived().length, PATIENTLY).toBe(2);
  const [full, empty] = arrived();
  expect(full).toMatchObject({ destination: rig.backend.address, payload, intact: true });
  expect(empty).toMatchObject({ destination: rig.backend.address, payload: new Uint8Array(), intact: true });
});

test('a wrong checksum arrives wrong, and none arrives as none', async () => {
  const wrong = query();
  wrong[45] = (wrong[45] ?? 0) ^ 0xff;
  send(wrong, query({ noChecksum: true }));
  await expect.poll(() => arrived().length, PATIENTLY).toBe(2);
  const [spoiled, none] = arrived();
  expect(spoiled).toMatchObject({ destination: rig.backend.address, intact: false, partial: false });
  expect(none).toMatchObject({ destination: rig.backend.address, noChecksum: true, intact: true });
});

test('a VLAN tag and IP options keep a query from the backend, and the event says why', async () => {
  const frame = query();
  const tagged = Uint8Array.from([...frame.slice(0, 12), 0x81, 0x00, 0x00, 0x64, ...frame.slice(12)]);
  send(tagged, query({ options: 4 }), query());
  await expect
    .poll(() => events.filter(({ hook }) => hook === 'from-endpoint').length, PATIENTLY)
    .toBeGreaterThanOrEqual(3);
  await expect.poll(() => arrived().length, PATIENTLY).toBe(1);
  const left = { verdict: 'fell-back', reason: 'fragment' };
  expect(events.filter(({ destination }) => destination.address === VIP).slice(0, 3)).toMatchObject([
    left,
    left,
    { verdict: 'redirected' },
  ]);
});

test("a query in another pod's name goes nowhere near the backend", async () => {
  send(query({ source: toIp(rig.fallback.address) }), query());
  await expect.poll(() => arrived().length, PATIENTLY).toBe(1);
  expect(arrived()).toMatchObject([{ source: rig.client.address }]);
  expect(datapath.counters().spoofed).toBe(1n);
});
