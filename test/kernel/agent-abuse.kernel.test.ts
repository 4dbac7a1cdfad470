/**
 * Clients that mean no good, against a real agent process with real packets: whoever behaves gets every flow meanwhile, the
 * process stays small, and what is refused is refused by gRPC's own words.
 */
import { randomBytes } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { errorCode } from '../../src/fault/app-error.ts';
import type { GetFlowsRequest } from '../../src/flow/api.ts';
import { type HubbleClient, openHubble } from '../../src/hubble/client.ts';
import { ANSWER, ObservedAgent } from './observed-agent.ts';

let rig: ObservedAgent;
let friend: HubbleClient;
const clients: HubbleClient[] = [];
const aborts: AbortController[] = [];

/** The machine may be busy with other tests. */
const PATIENTLY = { timeout: 50_000 };
const LONG_MS = 180_000;

beforeAll(async () => {
  rig = await ObservedAgent.open('abuse');
  friend = open();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await rig?.close();
});

afterEach(async () => {
  for (const abort of aborts.splice(0)) abort.abort();
  await expect.poll(async () => (await rig.agent.status()).flows.followers, PATIENTLY).toBe(0);
});

/** Ended with the test, however it ends. */
function untilEnd(): AbortController {
  const abort = new AbortController();
  aborts.push(abort);
  return abort;
}

function open(): HubbleClient {
  const client = openHubble(rig.hubble);
  clients.push(client);
  return client;
}

/** The names that a follower who behaves was told of, of queries that were answered while `attack` was under way. */
async function followedWhile(label: string, attack: () => Promise<unknown>): Promise<readonly string[]> {
  const abort = untilEnd();
  const answered: string[] = [];
  let lost = 0;
  const since = new Date().toISOString();
  const following = (async () => {
    const request = {
      follow: true,
      since,
      whitelist: [{ protocol: ['dns'], dns_query: [`^q[0-9]+[.]${label}[.]`] }],
    };
    for await (const { flow, lost_events } of open().flows(request, abort.signal)) {
      lost += Number(lost_events?.num_events_lost ?? 0);
      if (flow?.l7?.type === 'RESPONSE') answered.push(flow.l7.dns?.query ?? '');
    }
  })();
  const attacking = attack();
  const asked = Array.from({ length: QUERIES }, (_, i) => `q${i}.${label}`);
  for (const name of asked) expect(rig.dig(name)).toBe(ANSWER);
  const all = expect.poll(() => new Set(answered).size, PATIENTLY).toBe(QUERIES);
  await Promise.race([all, following]);
  await all;
  await attacking;
  abort.abort();
  await following;
  expect(lost).toBe(0);
  // Each answer once.
  expect(answered.toSorted()).toEqual(asked.map((name) => `${name}.`).toSorted());
  return answered;
}

const QUERIES = 25;
const STREAMS = 2000;
const MOST_GROWTH = 96 << 20;

async function codeOf(request: GetFlowsRequest): Promise<string> {
  try {
    for await (const _ of friend.flows(request, untilEnd().signal));
    return 'answered';
  } catch (error) {
    return errorCode(error) ?? String(error);
  }
}

it(
  'thousands of streams are refused with a word of their own, and slow nobody',
  async () => {
    const hostile = open();
    const abort = untilEnd();
    let busy = 0;
    let streams: Promise<void>[] = [];
    await followedWhile('streams', async () => {
      streams = Array.from({ length: STREAMS }, async () => {
        try {
          for await (const _ of hostile.flows({ follow: true, number: 1 }, abort.signal));
        } catch (error) {
          if (errorCode(error) === 'HUBBLE_BUSY') busy++;
        }
      });
      // The follower beside them may have come first or last; it is one of the 128.
      await expect.poll(() => busy, PATIENTLY).toBeGreaterThanOrEqual(STREAMS - 128);
    });
    expect((await rig.agent.status()).flows.followers).toBeLessThanOrEqual(128);
    abort.abort();
    await Promise.all(streams);
  },
  LONG_MS,
);

it(
  'readers that never read, and ask for everything, cost their own rows alone',
  async () => {
    const before = rig.memory();
    const sockets = Array.from({ length: 40 }, () => neverReading(rig.hubbleSocket));
    try {
      await followedWhile('stuck', async () => {
        const followers = async () => (await rig.agent.status()).flows.followers;
        await expect.poll(followers, PATIENTLY).toBeGreaterThan(40);
      });
      expect(rig.memory() - before).toBeLessThan(MOST_GROWTH);
    } finally {
      for (const session of sockets) session.destroy();
    }
  },
  LONG_MS,
);

/** Asks for all and follows, and takes not a byte of the answer. */
function neverReading(path: string) {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(path) });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/observer.Observer/GetFlows',
    ...{ 'content-type': 'application/grpc', te: 'trailers' },
  });
  stream.on('error', () => undefined);
  // GetFlowsRequest: number 2^63, follow.
  const body = Buffer.from([0x08, ...Array<number>(9).fill(0x80), 0x01, 0x18, 0x01]);
  const head = Buffer.from([0, 0, 0, 0, body.length]);
  stream.end(Buffer.concat([head, body]));
  return session;
}

it(
  'filters that cannot be, and requests that are too large, are refused by name',
  async () => {
    const long = 'a'.repeat(300);
    await followedWhile('filters', async () => {
      expect(await codeOf({ whitelist: [{ dns_query: ['(unclosed'] }] })).toBe('FLOW_FILTER_INVALID');
      expect(await codeOf({ whitelist: [{ dns_query: [`(${'a?'.repeat(5000)})`] }] })).toBe(
        'FLOW_FILTER_INVALID',
      );
      expect(await codeOf({ whitelist: [{ dns_query: Array(65).fill('a') }] })).toBe('FLOW_FILTER_INVALID');
      expect(await codeOf({ whitelist: Array(65).fill({ source_pod: ['a'] }) })).toBe('FLOW_FILTER_INVALID');
      expect(await codeOf({ whitelist: [{ source_pod: Array(1000).fill(long) }] })).toBe('HUBBLE_TOO_LARGE');
      expect(await codeOf({ first: true, follow: true })).toBe('FLOW_REQUEST_INVALID');
      expect(await codeOf({ field_mask: { paths: [long] } })).toBe('HUBBLE_REQUEST_INVALID');
      // Not a backtracking matcher's: what takes exponential time elsewhere is answered here.
      expect(await codeOf({ whitelist: [{ dns_query: ['(a+)+$', '(a|aa)+$'] }] })).toBe('answered');
    });
  },
  LONG_MS,
);

/** Queries as fast as a socket takes them; nobody waits for the answers. */
const SENDER = `
  const { createSocket } = require('node:dgram');
  const [address, count] = process.argv.slice(1);
  const query = Buffer.from('0001010000010000000000000466696c6c076578616d706c650000010001', 'hex');
  const socket = createSocket('udp4');
  let sent = 0;
  const more = () => {
    for (let i = 0; i < 20 && sent < count; i++, sent++) socket.send(query, 53, address);
    if (sent < count) setTimeout(more, 2);
    else setTimeout(() => process.exit(), 100);
  };
  more();
`;

it(
  'very many streams that ask for all of a full log, with filters that match nothing, leave a follower its turn',
  async () => {
    const sender = rig.network.spawn(
      rig.client.netns,
      ...[process.execPath, '-e', SENDER, rig.server.address, '8000'],
    );
    await new Promise((resolve) => sender.once('exit', resolve));
    await expect.poll(async () => (await friend.status()).numFlows, PATIENTLY).toBeGreaterThan(10_000);
    const before = rig.memory();
    const hostile = open();
    const abort = untilEnd();
    const dns_query = Array.from({ length: 60 }, (_, i) => `(x|y)*z${i}$`);
    const request = { number: 2 ** 31, follow: true, whitelist: [{ dns_query }] };
    const greedy = Array.from({ length: 90 }, async () => {
      for await (const _ of hostile.flows(request, abort.signal));
    });
    await followedWhile('greedy', async () => undefined);
    // Ninety compiled requests, and what the collector of garbage leaves lying meanwhile.
    expect(rig.memory() - before).toBeLessThan(3 * MOST_GROWTH);
    expect((await rig.agent.status()).flows.followers).toBeGreaterThanOrEqual(90);
    abort.abort();
    await Promise.all(greedy);
  },
  LONG_MS,
);

it(
  'noise on the socket ends the connections that make it',
  async () => {
    await followedWhile('noise', async () => {
      const done = Array.from({ length: 200 }, (_, i) => {
        const bytes = randomBytes(1 + ((i * 37) % 4000));
        return new Promise<void>((resolve) => {
          const socket = connect(rig.hubbleSocket, () =>
            socket.end(i % 2 === 0 ? bytes : withPreface(bytes)),
          );
          socket.on('error', () => resolve()).on('close', () => resolve());
          socket.resume();
        });
      });
      await Promise.all(done);
    });
    expect(await friend.health()).toBe('SERVING');
  },
  LONG_MS,
);

function withPreface(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), bytes]);
}
