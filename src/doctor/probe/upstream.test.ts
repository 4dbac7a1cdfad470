/** Upstreams of every kind on loopback: what answers, refuses, keeps silent, talks nonsense, and hangs up. */
import { createSocket, type Socket } from 'node:dgram';
import { type Socket as Connection, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { frameMessage } from '../../dns/frames.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { address } from '../testing/live-site.ts';
import { probeUpstreams } from './upstream.ts';

const open: (Socket | Server)[] = [];
const connections = new Set<Connection>();

afterEach(async () => {
  for (const connection of connections) connection.destroy();
  connections.clear();
  await Promise.all(open.splice(0).map((one) => new Promise<void>((resolve) => one.close(() => resolve()))));
});

/** The query back with the QR bit set: an answer without records. */
function answered(query: Uint8Array): Uint8Array {
  const answer = Uint8Array.from(query);
  answer[2] = (answer[2] ?? 0) | 0x80;
  return answer;
}

async function serveUdp(port: number, reply: (query: Uint8Array) => Uint8Array | undefined): Promise<void> {
  const socket = createSocket('udp4');
  open.push(socket);
  socket.on('message', (query, from) => {
    const bytes = reply(query);
    if (bytes !== undefined) socket.send(bytes, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
}

async function serveTcp(
  port: number,
  onQuery: (connection: Connection, query: Uint8Array) => void,
): Promise<void> {
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.on('data', (bytes) => onQuery(connection, Buffer.from(bytes).subarray(2)));
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

const reply = (connection: Connection, query: Uint8Array) => connection.write(frameMessage(answered(query)));

/** After an answer by TCP it goes on for as long. */
async function probe(port: number, timeoutMs = 1500) {
  const options = { clock: systemClock, randomId: () => 4711, timeoutMs };
  const [one] = await probeUpstreams([{ address: address('127.0.0.1'), port }], options);
  return one;
}

describe('probeUpstreams', () => {
  it('asks by both protocols', async () => {
    const port = await freePort();
    await serveUdp(port, answered);
    await serveTcp(port, reply);
    const one = await probe(port);
    expect(one).toMatchObject({
      ...{
        port,
        udp: { outcome: 'answered', rcode: 'NOERROR' },
        tcp: { outcome: 'answered', rcode: 'NOERROR' },
      },
    });
    expect(one?.udp.latencyMs).toBeGreaterThanOrEqual(0);
    expect(one).not.toHaveProperty('tcpResetAfterMs');
  });

  it('tells nobody there from silence, and silence from nonsense', async () => {
    const port = await freePort();
    expect(await probe(port)).toMatchObject({
      ...{
        udp: { outcome: 'refused', reason: 'ECONNREFUSED' },
        tcp: { outcome: 'refused', reason: 'ECONNREFUSED' },
      },
    });
    await serveUdp(port, () => undefined);
    await serveTcp(port, () => undefined);
    expect(await probe(port, 300)).toMatchObject({
      ...{ udp: { outcome: 'timeout' }, tcp: { outcome: 'timeout' } },
    });
    const other = await freePort();
    await serveUdp(other, () => Uint8Array.of(1, 2));
    await serveTcp(other, (connection) => connection.write(Uint8Array.of(0, 2, 9, 9)));
    expect(await probe(other)).toMatchObject({
      udp: { outcome: 'malformed' },
      tcp: { outcome: 'malformed' },
    });
  });

  it('does not take the answer to another query', async () => {
    const port = await freePort();
    await serveUdp(port, (query) => answered(Uint8Array.from(query).fill(0, 0, 1)));
    expect((await probe(port))?.udp.outcome).toBe('malformed');
  });

  it('tells a reset of an idle connection, and nothing of one that is closed in order', async () => {
    const [resetting, closing] = [await freePort(), await freePort()];
    await serveTcp(resetting, (connection, query) => {
      connection.write(frameMessage(answered(query)), () => setImmediate(() => connection.resetAndDestroy()));
    });
    await serveTcp(closing, (connection, query) => connection.end(frameMessage(answered(query))));
    const one = await probe(resetting);
    expect(one).toMatchObject({ tcp: { outcome: 'answered' } });
    expect(one?.tcpResetAfterMs).toBeGreaterThanOrEqual(0);
    expect(await probe(closing)).not.toHaveProperty('tcpResetAfterMs');
  });

  it('says what the kernel says of an address that cannot be reached', async () => {
    const options = { clock: systemClock, randomId: () => 1, timeoutMs: 300 };
    const [one] = await probeUpstreams([{ address: address('255.255.255.255'), port: 53 }], options);
    expect(['unreachable', 'timeout']).toContain(one?.udp.outcome);
    expect(['unreachable', 'timeout']).toContain(one?.tcp.outcome);
  });
});
