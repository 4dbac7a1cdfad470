/** The client where its server is not one of ours, is full, or has new keys. */
import { copyFileSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GetFlowsRequest } from '../flow/api.ts';
import { sampleFlow } from '../flow/testing/sample-flow.ts';
import { systemClock } from '../telemetry/clock.ts';
import { VirtualClock } from '../telemetry/virtual-clock.ts';
import { type HubbleClient, openHubble } from './client.ts';
import { OBSERVER, Server, ServerCredentials, type WireMessage } from './grpc.ts';
import { toWireResponse } from './messages.ts';
import { type HubbleServer, type HubbleServerOptions, startHubbleServer } from './server.ts';
import type { StreamCall } from './streams.ts';
import { TestAuthority } from './testing/certificates.ts';
import { FakeSource } from './testing/fake-source.ts';

const log = { info: () => undefined, error: () => undefined };
let directory = '';
const closers: (() => unknown)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-client-'));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true });
});

async function serve(
  listen: HubbleServerOptions['listen'],
  options: Partial<HubbleServerOptions> = {},
): Promise<HubbleServer> {
  const server = await startHubbleServer({
    source: new FakeSource(),
    clock: systemClock,
    log,
    listen,
    ...options,
  });
  closers.push(() => server.close());
  return server;
}

async function summaries(client: HubbleClient, request: GetFlowsRequest): Promise<readonly string[]> {
  const seen: string[] = [];
  for await (const { flow } of client.flows(request, new AbortController().signal))
    seen.push(flow?.Summary ?? '');
  return seen;
}

/** Has a service of flows and nothing else, as a server of another make may. Gives what it was asked. */
async function foreignServer(): Promise<{ readonly target: string; readonly asked: WireMessage[] }> {
  const asked: WireMessage[] = [];
  const target = `unix://${join(directory, 'foreign.sock')}`;
  const server = new Server();
  server.addService(OBSERVER, {
    GetFlows(call: StreamCall) {
      asked.push(call.request);
      for (const rcode of [0, 3, 0, 3]) {
        const l7 = {
          type: 'RESPONSE',
          latency_ns: '2000000',
          dns: { query: 'a.', qtypes: ['A'], rcode },
        } as const;
        const flow = sampleFlow({ Summary: `${rcode} ${asked.length}`, l7 });
        call.write(toWireResponse({ flow, node_name: 'worker-1', time: flow.time }));
      }
      call.end();
    },
  });
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(target, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  );
  closers.push(() => server.forceShutdown());
  return { target, asked };
}

describe('openHubble, of a server that is not ours', () => {
  it('applies conditions of ours to what it answers, and counts what is left', async () => {
    const { target, asked } = await foreignServer();
    const client = openHubble(target);
    closers.push(() => client.close());
    await client.reach(20_000);
    expect(
      await summaries(client, { number: 1, narrow: { rcode: [3] }, field_mask: { paths: ['uuid'] } }),
    ).toEqual(['3 1']);
    expect(asked).toEqual([{ number: '18446744073709551615' }]);
    expect(await summaries(client, { first: true, number: 1, narrow: { rcode: [0], slow_ms: 2 } })).toEqual([
      '0 2',
    ]);
    expect(await summaries(client, { narrow: { slow_ms: 2.1 } })).toEqual([]);
  });

  it('refuses a condition that only its own server could decide', async () => {
    const { target, asked } = await foreignServer();
    const client = openHubble(target);
    closers.push(() => client.close());
    await expect(summaries(client, { narrow: { bypassed: true } })).rejects.toMatchObject({
      code: 'FLOW_FILTER_INVALID',
      message: expect.stringContaining('this one does not'),
    });
    expect(asked).toEqual([]);
  });
});

describe('openHubble, refused', () => {
  it('tells a server that is full from a request that is too large', async () => {
    const { targets } = await serve([{ unix: join(directory, 'full.sock') }], { maxStreams: 1 });
    const client = openHubble(targets[0] ?? '');
    closers.push(() => client.close());
    const stop = new AbortController();
    const source = client.flows({ follow: true, number: 1 }, stop.signal)[Symbol.asyncIterator]();
    const first = source.next();
    await expect
      .poll(() => summaries(client, {}).catch(({ code }) => code), { timeout: 20_000 })
      .toBe('HUBBLE_BUSY');
    const query = 'x'.repeat(1 << 18);
    await expect(summaries(client, { whitelist: [{ dns_query: [query] }] })).rejects.toMatchObject({
      code: 'HUBBLE_TOO_LARGE',
    });
    stop.abort();
    await first;
  });

  it('says who does not answer, why, and what to look at', async () => {
    const target = `unix://${join(directory, 'nobody.sock')}`;
    const client = openHubble(target);
    closers.push(() => client.close());
    await expect(client.reach(20_000)).rejects.toMatchObject({
      code: 'HUBBLE_UNREACHABLE',
      message: `Cannot ask Hubble: nobody answers: connect ENOENT ${directory}/nobody.sock: received from ${target}`,
      hint: expect.stringContaining('Look whether the server runs'),
    });
  });
});

describe('openHubble, by TLS', () => {
  it('shows and believes what its files say now, and what is under way goes on', async () => {
    const [old, renewed] = [new TestAuthority(directory, 'old'), new TestAuthority(directory, 'new')];
    const files = ['ca.crt', 'tls.crt', 'tls.key'].map((name) => join(directory, name));
    const [caFile = '', certFile = '', keyFile = ''] = files;
    let puts = 0;
    const put = (authority: TestAuthority, which = files) => {
      const issued = authority.issue('relay');
      const from = [authority.caFile, issued.certFile, issued.keyFile];
      // A file's time may be too coarse to tell two writes in a row apart.
      const stamp = new Date(Date.now() + 60_000 * ++puts);
      for (const [n, path] of files.entries()) {
        if (!which.includes(path)) continue;
        copyFileSync(from[n] ?? '', path);
        utimesSync(path, stamp, stamp);
      }
    };
    const source = new FakeSource();
    source.see('one');
    const start = async (authority: TestAuthority) => {
      const tls = { ...authority.issue('worker-1'), clientCaFiles: [authority.caFile] };
      return (await serve([{ host: '127.0.0.1', port: 0, tls }], { source })).targets[0] ?? '';
    };
    const clock = new VirtualClock();
    const code = (client: HubbleClient) => client.health().catch((error: { code: string }) => error.code);
    const [before, after] = [await start(old), await start(renewed)];
    put(old);
    const settings = { clock };
    const [first, second] = [before, after].map((target) =>
      openHubble(target, { caFiles: [caFile], certFile, keyFile }, settings),
    );
    if (first === undefined || second === undefined) throw new Error('no clients');
    closers.push(
      () => first.close(),
      () => second.close(),
    );
    const stop = new AbortController();
    const following = first.flows({ follow: true, number: 1 }, stop.signal)[Symbol.asyncIterator]();
    expect((await following.next()).value?.flow?.Summary).toBe('one');
    expect(await code(second)).toBe('HUBBLE_UNREACHABLE');

    put(renewed, [certFile]);
    clock.pass(2000);
    // Half of a change.
    expect(await code(first)).toBe('SERVING');
    put(renewed);
    clock.pass(2000);
    expect(await code(second)).toBe('SERVING');
    expect(await code(first)).toBe('HUBBLE_UNREACHABLE');
    source.see('two');
    expect((await following.next()).value?.flow?.Summary).toBe('two');
    stop.abort();
  });
});
