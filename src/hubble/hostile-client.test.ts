/** Clients that mean no good, or read too slowly: the server goes on serving the others. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorCode } from '../fault/app-error.ts';
import type { GetFlowsResponse } from '../flow/api.ts';
import { systemClock } from '../telemetry/clock.ts';
import { type HubbleClient, openHubble } from './client.ts';
import { type HubbleServer, startHubbleServer } from './server.ts';
import { FakeSource } from './testing/fake-source.ts';

let directory = '';
let source: FakeSource;
let server: HubbleServer;
let friend: HubbleClient;
let logged: string[] = [];
const path = () => join(directory, 'hubble.sock');

async function start(fake: FakeSource): Promise<void> {
  source = fake;
  logged = [];
  server = await startHubbleServer({
    ...{ source, clock: systemClock, listen: [{ unix: path() }] },
    log: { info: () => undefined, error: (text) => logged.push(text) },
  });
  friend = openHubble(`unix://${path()}`);
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-hostile-'));
  await start(new FakeSource(64));
});

afterEach(async () => {
  friend.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

/** Sends the bytes, and waits until the server hangs up or says something. */
function throwAt(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path(), () => socket.end(bytes));
    const done = () => {
      socket.destroy();
      resolve();
    };
    socket.on('data', done).on('close', done).on('error', done);
  });
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

describe('startHubbleServer among hostile clients', () => {
  it('outlives any bytes', async () => {
    const noise = fc.uint8Array({ maxLength: 600 });
    const prefaced = noise.map((bytes) => Buffer.concat([PREFACE, bytes]));
    const http = fc.constant(Buffer.from('GET / HTTP/1.1\r\nhost: hubble\r\n\r\n'));
    await fc.assert(fc.asyncProperty(fc.oneof(noise, prefaced, http), throwAt), { numRuns: 150 });
    expect(await friend.health()).toBe('SERVING');
    expect(logged).toEqual([]);
  });

  it('refuses messages that are none', { timeout: 60_000 }, async () => {
    const session = connectHttp2('http://localhost', { createConnection: () => connect(path()) });
    const post = (body: Buffer, { encoding = 'identity', timeout = '20S' } = {}) =>
      new Promise<string>((resolve) => {
        const headers = {
          ...{ 'content-type': 'application/grpc', te: 'trailers', 'grpc-encoding': encoding },
          'grpc-timeout': timeout,
        };
        const stream = session.request({
          ':method': 'POST',
          ':path': '/observer.Observer/GetFlows',
          ...headers,
        });
        let status = 'none';
        const note = (seen: Record<string, unknown>) => {
          status = String(seen['grpc-status'] ?? status);
        };
        stream
          .on('response', note)
          .on('trailers', note)
          .on('error', () => undefined);
        stream.on('close', () => resolve(status)).resume();
        stream.end(body);
      });
    const framed = (message: Buffer, flag = 0) => {
      const head = Buffer.from([flag, 0, 0, 0, 0]);
      head.writeUInt32BE(message.length, 1);
      return Buffer.concat([head, message]);
    };
    for (let i = 0; i < 50; i++) {
      // 0 is a request that happened to be one; one to follow would have no end.
      const noise = framed(randomBytes(1 + (i % 40)));
      expect(await post(noise, { timeout: '1S' })).toMatch(/^(0|1|2|3|4|13)$/);
    }
    // A field 41 of a filter, of a newer client's: INVALID_ARGUMENT.
    expect(await post(framed(Buffer.from([0x32, 4, 0xca, 0x02, 1, 0x61])))).toBe('3');
    // Filters without number and without conditions.
    expect(await post(framed(Buffer.alloc(100_000, Buffer.from([0x32, 0]))))).not.toBe('0');
    // RESOURCE_EXHAUSTED (grpc.io, status codes): a message longer than a request may be.
    expect(await post(framed(Buffer.alloc(1 << 20)))).toBe('8');
    expect(await post(framed(gzipSync(Buffer.alloc(64 << 20)), 1), { encoding: 'gzip' })).toBe('8');
    session.destroy();
    expect(await friend.health()).toBe('SERVING');
  });

  const many = 'opens so many streams for one client, refuses it thousands, and has some left for the others';
  it(many, { timeout: 60_000 }, async () => {
    const hostile = openHubble(`unix://${path()}`);
    const abort = new AbortController();
    let refused = 0;
    const streams = Array.from({ length: 1500 }, async () => {
      try {
        for await (const _ of hostile.flows({ follow: true }, abort.signal));
      } catch (error) {
        if (errorCode(error) === 'HUBBLE_BUSY') refused++;
      }
    });
    await expect.poll(() => refused, { timeout: 50_000 }).toBe(1500 - 96);
    expect(server.streams).toBe(96);
    expect((await friend.status()).version).not.toBe('');
    const calm = new AbortController();
    const followed = friend.flows({ follow: true }, calm.signal)[Symbol.asyncIterator]().next();
    await expect.poll(() => server.streams).toBe(97);
    calm.abort();
    await followed;
    abort.abort();
    await Promise.all(streams);
    await expect.poll(() => [server.streams, source.open]).toEqual([0, 0]);
    hostile.close();
  });

  it('holds so many connections and lets go of the rest', async () => {
    expect(await friend.health()).toBe('SERVING');
    const sockets: Socket[] = [];
    let closed = 0;
    for (let i = 0; i < 300; i++) {
      const socket = connect(path());
      socket.on('error', () => undefined).on('close', () => closed++);
      // What the server says first would keep the socket from noticing its end.
      socket.resume();
      sockets.push(socket);
    }
    await expect.poll(() => closed).toBeGreaterThanOrEqual(300 - 255);
    expect(await friend.health()).toBe('SERVING');
    for (const socket of sockets) socket.destroy();
  });

  it('lets a slow reader lose its own rows, and nobody else any', async () => {
    const slow = openHubble(`unix://${path()}`);
    const abort = new AbortController();
    const sluggish = slow.flows({ follow: true }, abort.signal)[Symbol.asyncIterator]();
    const first = sluggish.next();
    const seen: string[] = [];
    const quick = (async () => {
      for await (const { flow } of friend.flows({ follow: true }, abort.signal))
        seen.push(flow?.node_name ?? 'lost');
    })();
    await expect.poll(() => source.open).toBe(2);
    const rows = 1600;
    const filler = 'x'.repeat(20_000);
    for (let i = 0; i < rows; i++) {
      source.see(filler);
      // Whoever reads at all keeps up: the log holds 64 rows.
      if (i % 32 === 31) await expect.poll(() => seen.length).toBe(i + 1);
    }
    await expect.poll(() => seen.length).toBe(rows);
    expect(new Set(seen)).toEqual(new Set(['worker-1']));

    // 32 MB have gone by. What waits for the slow one is what buffers of a stream and a socket hold, and then the log.
    const held: GetFlowsResponse[] = [];
    for (let step = await first; step.done !== true; step = await sluggish.next()) {
      held.push(step.value);
      if (step.value.lost_events !== undefined) break;
    }
    expect(held.length).toBeLessThan(200);
    expect(Number(held.at(-1)?.lost_events?.num_events_lost)).toBeGreaterThan(rows - 64 - 200);
    abort.abort();
    await quick;
    slow.close();
  });
});
