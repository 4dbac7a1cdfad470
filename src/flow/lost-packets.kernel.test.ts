/** A reader that stands still while pods go on: what the kernel's ring had no room for is counted, and said. Needs root. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import type { Datapath } from '../datapath/datapath.ts';
import { toIp } from '../datapath/testing/conformance.ts';
import { FALLBACK, LOCAL, RedirectRig } from '../datapath/testing/redirect-rig.ts';
import { buildPacket } from '../datapath/testing/test-packet.ts';
import { createStore } from '../store/store.ts';
import { systemClock as clock } from '../telemetry/clock.ts';
import { PacketLog } from './capture/packet-log.ts';
import { flowFamilies } from './flow-metrics.ts';
import { createFlowRecorder, type FlowRecorder } from './flow-recorder.ts';
import { parseFlowsRequest, readFlows } from './read-flows.ts';
import { Turns } from './turns.ts';

const PATIENTLY = { timeout: 20_000 };
const SENDER = join(import.meta.dirname, '../datapath/testing/test-frame-sender.ts');
/** More than the ring of 4 MB holds. */
const BATCHES = 12;
const FRAMES = 300;
const PAYLOAD_BYTES = 1400;

let rig: RedirectRig;
let datapath: Datapath;
let recorder: FlowRecorder;

beforeAll(async () => {
  rig = await RedirectRig.open('lost');
  datapath = rig.openDatapath();
  await datapath.apply(rig.spec());
});
afterAll(async () => {
  recorder?.close();
  datapath?.remove();
  await rig.close();
});

/** Calls into other processes hold this thread, which is the reader's: it takes nothing meanwhile. */
function flood(): void {
  const frame = buildPacket({
    protocol: 'UDP',
    source: toIp(rig.client.address),
    sourcePort: 40_000,
    destination: toIp('203.0.113.53'),
    destinationPort: 53,
    payload: new Uint8Array(PAYLOAD_BYTES).fill(1),
  });
  const frames = Array.from({ length: FRAMES }, () => Buffer.from(frame).toString('hex'));
  for (let i = 0; i < BATCHES; i++)
    rig.network.run(rig.client.netns, process.execPath, SENDER, 'eth0', ...frames);
}

test('queries go on, and every packet is either recorded or in the number of those that were lost', async () => {
  const packets = new PacketLog();
  const snapshot = createStore(EMPTY_SNAPSHOT);
  recorder = createFlowRecorder({ nodeName: 'n', version: '0', snapshot, datapath, packets, clock });
  recorder.start();
  flood();
  // The ring is full and nobody reads it.
  expect(rig.ask()).toEqual([LOCAL, LOCAL]);
  rig.network.dig(rig.client, `@${rig.fallback.address}`, 'google.com');
  expect(rig.network.dig(rig.client, `@${rig.fallback.address}`, 'google.com')).toBe(FALLBACK);
  const lost = Number(datapath.counters().eventsLost);
  expect(lost).toBeGreaterThan(0);
  const told = await readUntilLost(packets);
  expect(told.lost).toBe(lost);
  expect(told.flooded + lost).toBeGreaterThanOrEqual(BATCHES * FRAMES);
  expect(told.flooded).toBeLessThan(BATCHES * FRAMES);
  const { counters, clients, podOf, dropReason } = recorder;
  const families = flowFamilies({ counters, clients, podOf, throughStack: false, dropReason, lost });
  const metric = families.find(({ name }) => name === 'hubble_lost_events_total');
  expect(metric?.samples.map(({ value }) => value)).toEqual([lost]);
  // There is room again, and nothing more is lost.
  rig.ask();
  expect(Number(datapath.counters().eventsLost)).toBe(lost);
});

async function readUntilLost(packets: PacketLog) {
  await expect.poll(() => losses(packets), PATIENTLY).toBeGreaterThan(0);
  const query = parseFlowsRequest({});
  if (!query.ok) throw new Error(query.code);
  const options = { log: recorder.flows, query: query.value, nodeName: 'n', clock };
  let [flooded, lost] = [0, 0];
  for await (const { flow, lost_events } of readFlows({
    ...options,
    signal: new AbortController().signal,
    turns: new Turns(),
  })) {
    if (flow?.IP.destination === '203.0.113.53') flooded++;
    lost += Number(lost_events?.num_events_lost ?? 0);
  }
  return { flooded, lost };
}

function losses(packets: PacketLog): number {
  let sum = 0;
  for (let n = packets.oldest; n < packets.next; n++) sum += packets.at(n)?.lost ?? 0;
  return sum;
}
