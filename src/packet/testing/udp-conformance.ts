/**
 * What every `UdpService` has to keep, whoever reads the packets: run on each implementation, with real sockets on the
 * loopback. What needs a namespace of its own stands in `udp-service.kernel.test.ts`.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { ip } from '../../dns/testing/packets.ts';
import type { OnArrival, UdpSocket } from '../../server/udp.ts';
import type { ShortcutAnswer, UdpService } from '../udp-service.ts';
import { ECHO_ROUTE } from './echo-answerer.ts';

export type MakeService = (onAnswer: (answer: ShortcutAnswer) => void) => UdpService;

/** A thread strips its sources of types before it reads its first packet, on a machine that may be busy. */
export const PATIENTLY = { timeout: 15_000 };

const LISTENER = 3;

export function describeUdpService(name: string, make: MakeService): void {
  const open: { close(): unknown }[] = [];
  const logged: ShortcutAnswer[] = [];
  afterEach(async () => {
    for (const resource of open.splice(0).reverse()) await resource.close();
    logged.length = 0;
  });

  function service(): UdpService {
    const made = make((answer) => void logged.push(answer));
    open.push(made);
    return made;
  }

  async function listen(
    onArrival: OnArrival = echo,
    { host = '127.0.0.1', port = 0, on = service() } = {},
  ): Promise<UdpSocket> {
    const socket = await on.open({ local: { address: ip(host), port }, listener: LISTENER }, onArrival);
    open.push(socket);
    return socket;
  }

  function client(host = '127.0.0.1'): Socket {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    open.push(socket);
    return socket;
  }

  async function ask(bytes: string | Uint8Array, port: number, host = '127.0.0.1') {
    const socket = client(host);
    socket.send(bytes, port, host);
    const [reply, from] = await once(socket, 'message');
    return { text: String(reply), bytes: reply as Uint8Array, from: from.address as string };
  }

  describe(name, () => {
    test('hands over what it cannot answer, and sends the reply from the address that was asked', async () => {
      const { local } = await listen((arrival, respond) =>
        respond(text(`${textOf(arrival.bytes)} to ${arrival.local.address}`)),
      );
      expect(local.port).toBeGreaterThan(0);
      expect(await ask('ping', local.port)).toMatchObject({ text: 'ping to 127.0.0.1', from: '127.0.0.1' });
    });

    test('answers what it can without the main thread, as long as the slot', async () => {
      const { local } = await listen(() => {
        throw new Error('nothing here is for the main thread');
      });
      expect((await ask('hot stuff', local.port)).text).toBe('HOT stuff');
      expect((await ask('grow', local.port)).bytes).toHaveLength(1536);
    });

    test('asks no answerer about a listener without a number', async () => {
      const on = service();
      const socket = await on.open({ local: { address: ip('127.0.0.1'), port: 0 } }, echo);
      open.push(socket);
      expect((await ask('hot stuff', socket.local.port)).text).toBe('hot stuff');
    });

    test('a mixed burst from several clients: each gets its own replies, all of them', async () => {
      const { local } = await listen((arrival, respond) => setImmediate(() => echo(arrival, respond)));
      const clients = Array.from({ length: 4 }, () => client());
      const heard = clients.map((socket) => {
        const texts: string[] = [];
        socket.on('message', (bytes) => void texts.push(String(bytes)));
        return texts;
      });
      const words = Array.from({ length: 150 }, (_, i) => `${i % 3 === 0 ? 'miss' : 'hot'}-${i}`);
      for (const word of words) {
        for (const [i, socket] of clients.entries()) socket.send(`${word}-${i}`, local.port, '127.0.0.1');
      }
      await expect.poll(() => heard.map((texts) => texts.length), PATIENTLY).toEqual([150, 150, 150, 150]);
      for (const [i, texts] of heard.entries()) {
        const expected = words.map((word) => `${word.replace('hot', 'HOT')}-${i}`);
        expect(texts.toSorted()).toEqual(expected.toSorted());
      }
    });

    test('says when a packet came by the clock of the main thread, and from where', async () => {
      const before = performance.now();
      const seen: { atMs: number; client: string }[] = [];
      const { local } = await listen((arrival, respond) => {
        seen.push({ atMs: arrival.receivedAtMs, client: `${arrival.client.address} ${arrival.client.port}` });
        echo(arrival, respond);
      });
      const socket = client();
      socket.send('ping', local.port, '127.0.0.1');
      await once(socket, 'message');
      expect(seen[0]?.client).toBe(`127.0.0.1 ${socket.address().port}`);
      expect(seen[0]?.atMs).toBeGreaterThanOrEqual(before - 1);
      expect(seen[0]?.atMs).toBeLessThanOrEqual(performance.now() + 1);
    });

    test('carries the largest datagrams there are, in both directions', async () => {
      const { local } = await listen();
      const large = Buffer.alloc(65_507, 'x');
      large[65_506] = 0x7a;
      expect(Buffer.compare((await ask(large, local.port)).bytes, large)).toBe(0);
      expect((await ask('ping', local.port)).text).toBe('ping');
    });

    test('empty and tiny packets, too long replies and vanished clients harm nobody', async () => {
      const { local } = await listen((arrival, respond) =>
        respond(arrival.bytes.length === 4 ? arrival.bytes : new Uint8Array(70_000)),
      );
      const gone = createSocket('udp4');
      for (const bytes of ['', 'x', 'too long', 'hot']) gone.send(bytes, local.port, '127.0.0.1');
      await once(gone, 'listening');
      gone.close();
      for (let i = 0; i < 3; i++) expect((await ask('ping', local.port)).text).toBe('ping');
    });

    test('wildcard: knows which address was asked, and replies from it', async () => {
      const { local } = await listen((arrival, respond) => respond(text(arrival.local.address)), {
        host: '0.0.0.0',
      });
      expect(local.address).toBe('0.0.0.0');
      expect(await ask('ping', local.port)).toMatchObject({ text: '127.0.0.1', from: '127.0.0.1' });
      expect(await ask('hot', local.port)).toMatchObject({ text: 'HOT', from: '127.0.0.1' });
    });

    test('IPv4 and IPv6 on one port, each on its own', async () => {
      const on = service();
      const v4 = await listen(() => undefined, { host: '0.0.0.0', on });
      await listen(echo, { host: '::', port: v4.local.port, on });
      expect(await ask('ping', v4.local.port, '::1')).toMatchObject({ text: 'ping', from: '::1' });
      expect(await ask('hot', v4.local.port, '::1')).toMatchObject({ text: 'HOT', from: '::1' });
      expect(await ask('hot', v4.local.port)).toMatchObject({ text: 'HOT', from: '127.0.0.1' });
    });

    test('several addresses: opening and closing one leaves the others alone', async () => {
      const on = service();
      const first = await listen(echo, { on });
      const second = await listen(echo, { on, host: '127.0.0.2' });
      const third = await listen(echo, { on, host: '127.0.0.3' });
      expect((await ask('hot 2', second.local.port, '127.0.0.2')).text).toBe('HOT 2');
      await second.close();
      expect((await ask('hot 1', first.local.port)).text).toBe('HOT 1');
      expect((await ask('cold 3', third.local.port, '127.0.0.3')).text).toBe('cold 3');
    });

    test('tells the answers of logged listeners with the query as it came, and no others', async () => {
      const on = service();
      const { local } = await listen(echo, { on });
      await ask('hot unseen', local.port);
      on.setLogged(LISTENER, true);
      await ask('hot Query', local.port);
      await ask('grow', local.port);
      await ask('cold', local.port);
      await expect.poll(() => logged.length, PATIENTLY).toBe(2);
      on.setLogged(LISTENER, false);
      await ask('hot unseen', local.port);
      const told = logged.map(({ arrival, reply, route }) => [textOf(arrival.bytes), textOf(reply), route]);
      // Of two threads each tells its own when it comes to it.
      expect(told.sort()).toEqual([
        ['grow', `GROw${'+'.repeat(1532)}`, ECHO_ROUTE],
        ['hot Query', 'HOT Query', ECHO_ROUTE],
      ]);
      expect(logged[0]?.arrival.client.address).toBe('127.0.0.1');
      expect(logged[0]?.durationMs).toBeGreaterThanOrEqual(0);
    });

    test('counts what it answered', async () => {
      const on = service();
      const { local } = await listen(echo, { on });
      for (const word of ['hot', 'cold', 'hot']) await ask(word, local.port);
      await on.passBatches();
      expect(on.counts()).toEqual({ answered: 2, overflows: 0, lostLogEntries: 0, unsent: 0 });
    });

    test('a reply after close is forgotten, and closing twice waits for the same end', async () => {
      const late: ((bytes: Uint8Array) => void)[] = [];
      const socket = await listen((_arrival, respond) => void late.push(respond));
      client().send('ping', socket.local.port, '127.0.0.1');
      await expect.poll(() => late.length, PATIENTLY).toBe(1);
      await Promise.all([socket.close(), socket.close()]);
      expect(() => late[0]?.(new Uint8Array(1))).not.toThrow();
    });

    test('a port that another program holds alone is refused in words an operator can act on', async () => {
      const holder = client().bind(0, '127.0.0.1');
      await once(holder, 'listening');
      await expect(listen(echo, { port: holder.address().port })).rejects.toMatchObject({
        code: 'SERVER_ADDRESS_IN_USE',
        message: expect.stringContaining('the address is in use: received EADDRINUSE'),
      });
      await expect(listen(echo, { host: '192.0.2.99' })).rejects.toMatchObject({
        code: 'SERVER_ADDRESS_MISSING',
      });
    });

    test('what had arrived when it was told to take no more is answered', async () => {
      const socket = await listen();
      const asker = client();
      const heard: string[] = [];
      asker.on('message', (bytes) => void heard.push(String(bytes)));
      const sent = Array.from({ length: 50 }, (_, i) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        asker.send(i % 2 === 0 ? 'hot' : 'cold', socket.local.port, '127.0.0.1', () => resolve());
        return promise;
      });
      // On the loopback a packet that has been sent has arrived.
      await Promise.all(sent);
      await socket.stopTaking?.();
      // The listener gives it as many turns: node:dgram reads 32 packets in each.
      for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      await socket.close();
      await expect.poll(() => heard.length, PATIENTLY).toBe(50);
    });
  });
}

const echo: OnArrival = ({ bytes }, respond) => respond(bytes);

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function text(of: string): Uint8Array {
  return new TextEncoder().encode(of);
}
