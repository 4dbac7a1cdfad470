/** What becomes of the listeners that are open already when a later one cannot be opened; who gets what on one port. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { decodeMessage } from '../dns/decode-message.ts';
import { encodeMessage } from '../dns/encode-message.ts';
import { replyTo } from '../dns/reply.ts';
import { ip, name } from '../dns/testing/packets.ts';
import { freePort } from '../net/testing/free-ports.ts';
import { ask } from '../plugins/fake-query.ts';
import { dgramTransport } from '../server/dgram-transport.ts';
import type { Handler } from '../server/handler.ts';
import { InheritedSockets } from '../server/inherited-sockets.ts';
import { memoryLog } from '../server/testing/log.ts';
import type { UdpTransport } from '../server/udp.ts';
import { systemClock } from '../telemetry/clock.ts';
import { ListenerSet } from './listener-set.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';

const plan = (server: string): ListenerPlan => ({
  transport: 'dns',
  address: ip('127.0.0.1'),
  port: 0,
  server,
  members: [],
  sockets: 1,
});

/** Its first socket has a query already, and tells what becomes of it; there is no second one. */
function transport() {
  const events: string[] = [];
  const left = Promise.withResolvers<void>();
  const open: UdpTransport['open'] = async ({ local }, onArrival) => {
    if (events.length > 0) throw new Error('no second socket');
    const bytes = encodeMessage(ask('a.test.').message);
    const client = { address: ip('192.0.2.7'), port: 40_000 };
    onArrival({ bytes, client, local, transport: 'udp', receivedAtMs: performance.now() }, () =>
      events.push('answered'),
    );
    events.push('asked');
    return {
      local,
      stopTaking: async () => void events.push('refuses more'),
      async letGo() {
        events.push('leaves more to the other process');
        left.resolve();
      },
      close: async () => void events.push('closed'),
    };
  };
  return { events, udp: { open }, left: left.promise };
}

it.each([
  {
    what: 'of its own it closes at once',
    inherited: undefined,
    expected: ['asked', 'closed'],
  },
  {
    what: 'that another process goes on reading it answers what it has read',
    inherited: new InheritedSockets([]),
    expected: ['asked', 'leaves more to the other process', 'answered', 'closed'],
  },
])('sockets $what', async ({ inherited, expected }) => {
  const { events, udp, left } = transport();
  const slowly: Handler = async (query) => {
    await left;
    return { rcode: 0, message: replyTo(query.message, {}) };
  };
  const set = new ListenerSet({
    log: memoryLog(),
    clock: systemClock,
    observer: () => ({}),
    udp,
    numberOf: () => 0,
  });
  const conduct = () => ({ routes: [{ zones: [name('.')], handler: slowly }] });
  const plans = [plan('dns://127.0.0.1:0'), plan('dns://127.0.0.1:1')];
  await expect(set.prepare(plans, conduct, inherited)).rejects.toThrow('no second socket');
  expect(events).toEqual(expected);
});

it.each([undefined, '0.0.0.0'])(
  'an address is served by its own listener alone, beside one on %s',
  async (all) => {
    const set = new ListenerSet({
      ...{
        log: memoryLog(),
        clock: systemClock,
        observer: () => ({}),
        udp: dgramTransport,
        numberOf: () => 0,
      },
    });
    const port = await freePort();
    const { address: own, ...wide } = { ...plan('own'), port };
    const plans = [
      { ...wide, server: 'all', ...(all !== undefined && { address: ip(all) }) },
      { ...wide, address: own ?? ip('127.0.0.1') },
    ];
    // NOERROR from its own listener, NXDOMAIN from the other one.
    const conduct = ({ server }: ListenerPlan) => {
      const rcode = server === 'own' ? 0 : 3;
      const handler: Handler = async (query) => ({ rcode, message: replyTo(query.message, { rcode }) });
      return { routes: [{ zones: [name('.')], handler }] };
    };
    (await set.prepare(plans, conduct)).commit();
    const asked = Array.from({ length: 32 }, () => rcodeFrom(port));
    expect(await Promise.all(asked)).toEqual(asked.map(() => 0));
    await set.close();
  },
);

/** From a port of its own: by it the kernel deals packets out between sockets. */
async function rcodeFrom(port: number): Promise<number> {
  const socket = createSocket('udp4');
  try {
    socket.send(encodeMessage(ask('a.test.').message), port, '127.0.0.1');
    const [bytes] = await once(socket, 'message', { signal: AbortSignal.timeout(5000) });
    const message = decodeMessage(bytes);
    if (!message.ok) throw new Error(message.code);
    return message.value.rcode;
  } finally {
    socket.close();
  }
}
