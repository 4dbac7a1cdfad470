/** The server over real sockets, asked by our own client. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import { systemClock } from '../telemetry/clock.ts';
import { type HubbleClient, openHubble } from './client.ts';
import { Client, credentials, HEALTH, methodOf } from './grpc.ts';
import type { PeerChange } from './observer-source.ts';
import { type HubbleServer, type HubbleServerOptions, startHubbleServer } from './server.ts';
import { FakeSource, SAMPLE_NODE, SAMPLE_STATUS } from './testing/fake-source.ts';

let directory = '';
let source: FakeSource;
let logged: string[] = [];
const closers: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-hubble-'));
  source = new FakeSource();
  logged = [];
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

const log = { info: () => undefined, error: (text: string) => void logged.push(text) };

async function start(options: Partial<HubbleServerOptions> = {}): Promise<HubbleServer> {
  const listen = [{ unix: join(directory, 'hubble.sock') }];
  const server = await startHubbleServer({ source, listen, clock: systemClock, log, ...options });
  closers.push(() => server.close());
  return server;
}

async function connect(options: Partial<HubbleServerOptions> = {}): Promise<HubbleClient> {
  const { targets } = await start(options);
  return open(targets[0] ?? '');
}

function open(target: string, tls?: Parameters<typeof openHubble>[1]): HubbleClient {
  const client = openHubble(target, tls);
  closers.push(() => client.close());
  return client;
}

async function summaries(
  client: HubbleClient,
  request: GetFlowsRequest,
): Promise<readonly (string | undefined)[]> {
  const seen: GetFlowsResponse[] = [];
  for await (const each of client.flows(request, new AbortController().signal)) seen.push(each);
  return seen.map(({ flow }) => flow?.Summary);
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof AppError ? error.code : String(error);
}

describe('startHubbleServer', () => {
  it('gives the newest flows that match, oldest first', async () => {
    source.see('one', 'two', 'three');
    const client = await connect();
    expect(await summaries(client, { number: 2 })).toEqual(['two', 'three']);
    expect(await summaries(client, { number: '18446744073709551615' })).toEqual(['one', 'two', 'three']);
    expect(await summaries(client, { first: true, number: 1 })).toEqual(['one']);
    expect(await summaries(client, { whitelist: [{ source_pod: ['other/'] }] })).toEqual([]);
  });

  it('says status, nodes, namespaces and health', async () => {
    const client = await connect();
    expect(await client.status()).toEqual(SAMPLE_STATUS);
    expect(await client.nodes()).toEqual([SAMPLE_NODE]);
    expect(await client.namespaces()).toEqual([{ cluster: 'default', namespace: 'shop' }]);
    expect(await client.health()).toBe('SERVING');
  });

  it('tells of peers as they come', async () => {
    const change: PeerChange = {
      ...{ name: 'worker-2', address: '192.0.2.2:4244', type: 'PEER_ADDED' },
      tlsServerName: 'worker-2.default.hubble-grpc.cilium.io',
    };
    const client = await connect({
      async *peers() {
        yield change;
      },
    });
    const seen: PeerChange[] = [];
    for await (const each of client.peers(new AbortController().signal)) seen.push(each);
    expect(seen).toEqual([change]);
  });

  it('follows until the client leaves, and lets go of the source then', async () => {
    const server = await start();
    const client = open(server.targets[0] ?? '');
    const abort = new AbortController();
    const seen: (string | undefined)[] = [];
    const following = (async () => {
      for await (const { flow } of client.flows({ follow: true }, abort.signal)) seen.push(flow?.Summary);
    })();
    await expect.poll(() => source.open).toBe(1);
    source.see('new');
    await expect.poll(() => seen).toEqual(['new']);
    expect(server.streams).toBe(1);
    abort.abort();
    await following;
    await expect.poll(() => [source.open, server.streams]).toEqual([0, 0]);
  });
});

describe('startHubbleServer, closing', () => {
  it('tells followers that it goes away, not that there is no more', async () => {
    const server = await start();
    const client = open(server.targets[0] ?? '');
    const ended = codeOf(summaries(client, { follow: true }));
    await expect.poll(() => source.open).toBe(1);
    await server.close();
    expect(await ended).toBe('HUBBLE_UNREACHABLE');
    expect(source.open).toBe(0);
  });

  it('tells who watches its health', async () => {
    const server = await start();
    const client = new Client(server.targets[0] ?? '', credentials.createInsecure());
    closers.push(() => client.close());
    const { path, requestSerialize, responseDeserialize } = methodOf(HEALTH, 'Watch');
    const seen: unknown[] = [];
    for (const service of ['hubble.server.Observer', 'nobody']) {
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service });
      call.on('data', (message) => seen.push(message.status)).on('error', () => undefined);
    }
    await expect.poll(() => seen.toSorted()).toEqual(['SERVICE_UNKNOWN', 'SERVING']);
    await server.close();
    await expect.poll(() => seen.slice(2)).toEqual(['NOT_SERVING']);
  });
});

describe('startHubbleServer, refusing', () => {
  it.each<[string, GetFlowsRequest, string]>([
    ['first with follow', { first: true, follow: true }, 'FLOW_REQUEST_INVALID'],
    ['a filter that cannot be read', { whitelist: [{ source_port: ['http'] }] }, 'FLOW_FILTER_INVALID'],
    ['a field mask that names nothing', { field_mask: { paths: ['source.pod'] } }, 'HUBBLE_REQUEST_INVALID'],
  ])('refuses %s', async (_name, request, code) => {
    expect(await codeOf(summaries(await connect(), request))).toBe(code);
  });

  it('allows so many streams and says so to the next', async () => {
    const server = await start({ maxStreams: 2 });
    const client = open(server.targets[0] ?? '');
    const abort = new AbortController();
    const followers = [1, 2].map(async () => {
      for await (const _ of client.flows({ follow: true }, abort.signal));
    });
    await expect.poll(() => server.streams).toBe(2);
    await expect(summaries(client, {})).rejects.toMatchObject({
      code: 'HUBBLE_BUSY',
      message: expect.stringMatching('2 open'),
    });
    abort.abort();
    await Promise.all(followers);
    await expect.poll(() => codeOf(summaries(client, {}))).toBe('undefined');
  });

  it('keeps our own mistakes in the log', async () => {
    source.failure = new TypeError('secret');
    const client = await connect();
    await expect(client.status()).rejects.toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    );
    expect(logged.join()).toContain('secret');
  });
});

describe('openHubble', () => {
  it('asks for conditions of ours only where they are known', async () => {
    source.see('one');
    const client = await connect();
    expect(await client.knowsNarrow()).toBe(true);
    expect(await client.knowsNarrow({ kernel_answered: true })).toBe(true);
    const narrow = { rcode: [0, 3], slow_ms: 0.5, one_in: 7, kernel_answered: true } as const;
    await summaries(client, { narrow });
    expect(source.asked.at(-1)?.narrow).toEqual(narrow);
  });

  it('says of an address what is wrong with it', async () => {
    expect(await codeOf(summaries(open(`unix://${join(directory, 'nobody')}`), {}))).toBe(
      'HUBBLE_UNREACHABLE',
    );
    for (const wrong of [
      '',
      'localhost',
      'http://localhost:1',
      'unix://relative',
      'localhost:70000',
      'a b:1',
    ])
      expect(() => openHubble(wrong)).toThrow(expect.objectContaining({ code: 'HUBBLE_TARGET_INVALID' }));
  });
});

describe('startHubbleServer on a unix socket', () => {
  const path = () => join(directory, 'hubble.sock');

  it('lets root alone in', async () => {
    await start();
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  it('takes the place of a socket that nobody serves, and removes its own', async () => {
    const dead = createServer().listen(path());
    await new Promise((resolve) => dead.once('listening', resolve));
    // What a killed process leaves: a name without a listener.
    const { renameSync, linkSync } = await import('node:fs');
    linkSync(path(), `${path()}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${path()}.kept`, path());
    const server = await start();
    expect(await open(server.targets[0] ?? '').health()).toBe('SERVING');
    await server.close();
    expect(existsSync(path())).toBe(false);
  });

  it('leaves a socket that somebody serves, and a file that is none', async () => {
    await start();
    expect(await codeOf(start())).toBe('HUBBLE_SOCKET_TAKEN');
    expect(existsSync(path())).toBe(true);
    const file = join(directory, 'file');
    writeFileSync(file, 'mine');
    expect(await codeOf(start({ listen: [{ unix: file }] }))).toBe('HUBBLE_SOCKET_UNUSABLE');
  });
});
