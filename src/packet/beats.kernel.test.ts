/** The beats of packet threads: idle, under load, with several addresses, and after a thread has died. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BeatMap } from '../heartbeat/beat-map.ts';
import { BeatFile } from '../heartbeat/testing/beat-file.ts';
import { type Ip, parseIp } from '../net/ip.ts';
import { memoryLog } from '../server/testing/log.ts';
import type { UdpSocket } from '../server/udp.ts';
import { systemClock } from '../telemetry/clock.ts';
import { PacketTransport } from './packet-transport.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-packet-beats-'));
afterAll(() => rmSync(directory, { recursive: true }));
const PATIENTLY = { timeout: 20_000, interval: 10 };

let file: BeatFile;
let map: BeatMap;
let transport: PacketTransport;
let sockets: UdpSocket[];

function start(threads: number): void {
  transport = new PacketTransport({
    ...{ log: memoryLog(), clock: systemClock, threads, answers: undefined },
    onRestart: () => undefined,
    receiveBufferBytes: 1 << 16,
  });
}

async function openAt(text: string): Promise<UdpSocket> {
  const address: Ip = parseIp(text) ?? never();
  const socket = await transport.open({ local: { address, port: 0 } }, (arrival, respond) =>
    respond(arrival.bytes),
  );
  sockets.push(socket);
  return socket;
}

function never(): never {
  throw new Error('no address');
}

const words = () => file.row(3).slice(1);
/** Each of the first `count` threads has beaten since, and no other ever has. */
async function beatsAnew(count: number): Promise<void> {
  const since = process.hrtime.bigint();
  await expect.poll(() => words().filter((at) => at > since).length, PATIENTLY).toBe(count);
  expect(words().filter((at) => at > 0n)).toHaveLength(count);
}

beforeEach(() => {
  file = new BeatFile(join(directory, 'map'));
  map = new BeatMap(file.fd, file);
  sockets = [];
});
afterEach(async () => {
  await Promise.all(sockets.map((socket) => socket.close()));
  await transport.close();
  map.close();
  file.close();
});

describe('packet threads that beat', () => {
  it('do so with nothing to read, with one socket and with two', async () => {
    start(2);
    await transport.useBeats(map.row(3));
    await beatsAnew(2);
    await openAt('127.0.0.1');
    await beatsAnew(2);
    await openAt('127.0.0.2');
    await beatsAnew(2);
    await beatsAnew(2);
  });

  it('do so while they are busy', async () => {
    start(1);
    const { local } = await openAt('127.0.0.1');
    await transport.useBeats(map.row(3));
    const client = createSocket('udp4');
    client.bind(0, '127.0.0.1');
    await once(client, 'listening');
    client.on('message', (bytes) => client.send(bytes, local.port, '127.0.0.1'));
    client.send('on and on', local.port, '127.0.0.1');
    await beatsAnew(1);
    await beatsAnew(1);
    client.close();
  });

  it('let go of a row when they are given another', async () => {
    start(1);
    await openAt('127.0.0.1');
    await transport.useBeats(map.row(3));
    await beatsAnew(1);
    const other = new BeatMap(file.fd, file);
    await transport.useBeats(other.row(4));
    const last = words();
    map.close();
    const since = process.hrtime.bigint();
    await expect.poll(() => (file.row(4)[1] ?? 0n) > since, PATIENTLY).toBe(true);
    expect(words()).toEqual(last);
    map = other;
  });

  it('are as many as there are words; the others only serve', async () => {
    start(9);
    await openAt('127.0.0.1');
    await transport.useBeats(map.row(3));
    await beatsAnew(7);
    expect(file.row(4)).toEqual(Array(8).fill(0n));
  });

  it('include those that are started later', async () => {
    start(1);
    await transport.useBeats(map.row(3));
    const address = parseIp('127.0.0.1') ?? never();
    sockets.push(await transport.open({ local: { address, port: 0 }, sockets: 3 }, () => undefined));
    await beatsAnew(3);
  });
});
