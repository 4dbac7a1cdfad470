/** Both ways of reading UDP with real sockets, and what only packet threads have: a life of their own. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { describe, expect, test } from 'vitest';
import { ip } from '../dns/testing/packets.ts';
import { HandClock } from '../server/testing/clock.ts';
import { memoryLog } from '../server/testing/log.ts';
import { RECEIVE_BUFFER_BYTES } from '../server/udp.ts';
import { ownSockets } from '../sys/own-sockets.ts';
import { systemClock } from '../telemetry/clock.ts';
import { MainThreadService } from './main-thread-service.ts';
import { PacketTransport, type PacketTransportOptions } from './packet-transport.ts';
import { echoSource } from './testing/echo-answerer.ts';
import { describeUdpService, PATIENTLY } from './testing/udp-conformance.ts';

function options(fields: Partial<PacketTransportOptions> = {}): PacketTransportOptions {
  return {
    threads: 1,
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    log: memoryLog(),
    clock: systemClock,
    answers: echoSource(),
    onRestart: () => undefined,
    ...fields,
  };
}

describeUdpService('one packet thread', (onAnswer) => new PacketTransport(options({ onAnswer })));
describeUdpService(
  'two packet threads',
  (onAnswer) => new PacketTransport(options({ onAnswer, threads: 2 })),
);
describeUdpService('the main thread', (onAnswer) => new MainThreadService({ ...options(), onAnswer }));

async function ask(text: string, port: number): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.send(text, port, '127.0.0.1');
    const [bytes] = await once(socket, 'message');
    return String(bytes);
  } finally {
    socket.close();
  }
}

/** Packets: half of what a socket with the receive buffer of these tests has room for, several times what is under way. */
const MOST_UNDER_WAY = 1000;

/** How often the sender waits for a reply. Fewer than a socket has room for, also the one that its replies come to. */
const WAIT_EVERY = 100;

/**
 * From a process of its own that is waited for, so that this one does nothing meanwhile. No faster than is read: each
 * hundredth is `hot`, and its reply is waited for.
 */
function sendUnheard(word: string, { port, count }: { port: number; count: number }): void {
  const program = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (bytes) => {
      if (bytes.toString() === 'HOT and waited for') sendSome();
    });
    let left = ${count};
    function sendSome() {
      if (left === 0) return socket.close();
      for (let i = 1; i < ${WAIT_EVERY}; i++) socket.send('${word}', ${port}, '127.0.0.1');
      socket.send('hot and waited for', ${port}, '127.0.0.1');
      left -= ${WAIT_EVERY};
    }
    sendSome();`;
  execFileSync(process.execPath, ['-e', program], { timeout: PATIENTLY.timeout });
}

/** Fields of proc(5), `stat`, from the third on, of each packet thread. */
function packetThreadStats(): readonly (readonly string[])[] {
  return readdirSync('/proc/self/task').flatMap((task) => {
    const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
    return stat.includes('(packets)') ? [stat.slice(stat.lastIndexOf(')') + 2).split(' ')] : [];
  });
}

function packetThreadNice(): readonly number[] {
  return packetThreadStats().map((fields) => Number(fields[16]));
}

/** Of processor time, a hundredth of a second each. */
function packetThreadTicks(): number {
  return packetThreadStats().reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0);
}

describe('packet threads', () => {
  test('one that fails is started again on the same descriptors, with a line and a count', async () => {
    const log = memoryLog();
    let restarts = 0;
    const transport = new PacketTransport(options({ log, onRestart: () => restarts++ }));
    const before = readdirSync('/proc/self/fd').length;
    const socket = await transport.open(
      { local: { address: ip('127.0.0.1'), port: 0 }, listener: 0 },
      ({ bytes }, respond) => respond(bytes),
    );
    const { port } = socket.local;
    for (let crash = 1; crash <= 2; crash++) {
      expect(await ask('hot', port)).toBe('HOT');
      const killer = createSocket('udp4');
      killer.send('die', port, '127.0.0.1');
      await expect.poll(() => restarts, PATIENTLY).toBe(crash);
      killer.close();
      // It waits in the kernel until the next thread is there.
      expect(await ask('hot again', port)).toBe('HOT again');
      expect(await ask('cold', port)).toBe('cold');
    }
    expect(log.lines).toEqual([
      '[ERROR] A packet thread has failed: asked to die',
      '[WARNING] A packet thread has ended and is started again in 50 ms',
      '[ERROR] A packet thread has failed: asked to die',
      '[WARNING] A packet thread has ended and is started again in 100 ms',
    ]);
    await socket.close();
    await transport.close();
    await expect.poll(() => readdirSync('/proc/self/fd').length, PATIENTLY).toBeLessThanOrEqual(before);
  });

  test('one that waits to be started again keeps nobody from closing', async () => {
    let restarts = 0;
    const clock = new HandClock();
    const transport = new PacketTransport(options({ clock, onRestart: () => restarts++ }));
    const spec = { local: { address: ip('127.0.0.1'), port: 0 }, listener: 0 };
    const socket = await transport.open(spec, () => undefined);
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    const killer = createSocket('udp4');
    killer.send('die', socket.local.port, '127.0.0.1');
    await expect.poll(() => restarts, PATIENTLY).toBe(1);
    killer.close();
    const late = await transport.open(spec, ({ bytes }, respond) => respond(bytes));
    await socket.stopTaking?.();
    await socket.close();
    clock.turn(50);
    expect(await ask('hot', late.local.port)).toBe('HOT');
    expect(await ask('cold', late.local.port)).toBe('cold');
    await late.close();
    await transport.close();
  });

  test('one that is started again is as urgent as it was, though the main thread has stepped back', async () => {
    let restarts = 0;
    const transport = new PacketTransport(options({ onRestart: () => restarts++ }));
    const began = getPriority();
    const socket = await transport.open(
      { local: { address: ip('127.0.0.1'), port: 0 }, listener: 0 },
      () => undefined,
    );
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    const niceBefore = packetThreadNice();
    setPriority(began + 7);
    const killer = createSocket('udp4');
    killer.send('die', socket.local.port, '127.0.0.1');
    await expect.poll(() => restarts, PATIENTLY).toBe(1);
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    expect(packetThreadNice()).toEqual(niceBefore);
    expect(niceBefore).toEqual([began]);
    setPriority(began);
    killer.close();
    await socket.close();
    await transport.close();
  });

  test('one that cannot be started again is tried again, and the process lives on', async () => {
    const log = memoryLog();
    const clock = new HandClock();
    const source = echoSource();
    let failures = 0;
    // As for want of a thread: whatever keeps it from starting is thrown where it is started.
    const openSeat = () => {
      if (log.lines.length === 2 && failures++ === 0) throw new Error('out of threads');
      return source.openSeat();
    };
    const transport = new PacketTransport(options({ log, clock, answers: { ...source, openSeat } }));
    const local = { address: ip('127.0.0.1'), port: 0 };
    const socket = await transport.open({ local, listener: 0 }, () => undefined);
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    const killer = createSocket('udp4');
    killer.send('die', socket.local.port, '127.0.0.1');
    await expect.poll(() => log.lines, PATIENTLY).toHaveLength(2);
    killer.close();
    clock.turn(50);
    expect(log.lines.slice(2)).toEqual([
      '[ERROR] A packet thread cannot be started: out of threads',
      '[WARNING] A packet thread has ended and is started again in 100 ms',
    ]);
    clock.turn(100);
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    await socket.close();
    await transport.close();
  });

  test('one whose socket another process made not to block does not spin', async () => {
    const transport = new PacketTransport(options());
    const local = { address: ip('127.0.0.1'), port: 0 };
    const socket = await transport.open({ local, listener: 0 }, () => undefined);
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    const own = ownSockets().find(({ kind, port }) => kind === 'udp' && port === socket.local.port);
    // As a successor does that reads by node:dgram, and then fails.
    const program = `require('node:dgram').createSocket('udp4').bind({ fd: 3 }, () => process.exit());`;
    execFileSync(process.execPath, ['-e', program], { stdio: ['ignore', 'ignore', 'ignore', own?.fd ?? -1] });
    const before = packetThreadTicks();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // Of a hundred in a second.
    expect(packetThreadTicks() - before).toBeLessThan(10);
    expect(await ask('hot', socket.local.port)).toBe('HOT');
    await socket.close();
    await transport.close();
  });

  test('one that dies with queries in hand hands them over, and its successor is heard', async () => {
    let restarts = 0;
    const clock = new HandClock();
    const transport = new PacketTransport(options({ clock, onRestart: () => restarts++ }));
    const heard: string[] = [];
    const socket = await transport.open(
      { local: { address: ip('127.0.0.1'), port: 0 }, listener: 0 },
      ({ bytes }, respond) => {
        heard.push(Buffer.from(bytes).toString());
        respond(bytes);
      },
    );
    const { port } = socket.local;
    const killer = createSocket('udp4').bind(0, '127.0.0.1');
    const send = (word: string) =>
      new Promise((resolve) => killer.send(word, port, '127.0.0.1', () => resolve(undefined)));
    await send('die');
    await expect.poll(() => restarts, PATIENTLY).toBe(1);
    // Nobody reads now: the next thread finds both in its first batch.
    for (const word of ['cold at last', 'die']) await send(word);
    clock.turn(50);
    await expect.poll(() => restarts, PATIENTLY).toBe(2);
    expect(heard).toEqual(['cold at last']);
    clock.turn(100);
    expect(await ask('cold again', port)).toBe('cold again');
    killer.close();
    await socket.close();
    await transport.close();
  });

  test('without a seat at the answer cache everything is handed over, and the log says so', async () => {
    const log = memoryLog();
    const transport = new PacketTransport(options({ log, answers: echoSource(0) }));
    const socket = await transport.open(
      { local: { address: ip('127.0.0.1'), port: 0 }, listener: 0 },
      ({ bytes }, respond) => respond(bytes),
    );
    expect(await ask('hot', socket.local.port)).toBe('hot');
    expect(log.lines).toEqual([
      '[WARNING] A packet thread has no seat at the answer cache: it hands every packet over',
    ]);
    await socket.close();
    await transport.close();
  });

  test.each([
    { name: 'queries are dropped and counted', word: 'cold', logged: false },
    { name: 'lines of the query log are, and every query is answered', word: 'hot', logged: true },
  ])('while the main thread does nothing, $name; then all is as before', async ({ word, logged }) => {
    let told = 0;
    const transport = new PacketTransport(options({ onAnswer: () => void told++ }));
    let arrivals = 0;
    const socket = await transport.open(
      { local: { address: ip('127.0.0.1'), port: 0 }, listener: 0 },
      ({ bytes }, respond) => {
        arrivals++;
        respond(bytes);
      },
    );
    const { port } = socket.local;
    transport.setLogged(0, logged);
    expect(await ask(word, port)).toBe(logged ? 'HOT' : 'cold');
    const sent = 20_000;
    const waitedFor = sent / WAIT_EVERY;
    sendUnheard(word, { port, count: sent });
    // Nobody waits: what is asked before the main thread has caught up may be dropped as well.
    const accountedFor = () => {
      const { lostLogEntries, overflows } = transport.counts();
      return logged ? told + lostLogEntries : arrivals + overflows + waitedFor;
    };
    await expect.poll(accountedFor, PATIENTLY).toBe(sent + 1);
    expect(await ask('cold again', port)).toBe('cold again');
    const counts = transport.counts();
    expect(counts.answered).toBe(logged ? sent + 1 : waitedFor);
    expect(logged ? counts.lostLogEntries : counts.overflows).toBeGreaterThan(sent / 2);
    expect(arrivals).toBe(logged ? 1 : sent - waitedFor + 2 - counts.overflows);
    expect(told).toBe(logged ? sent + 1 - counts.lostLogEntries : 0);
    await socket.close();
    await transport.close();
  });

  test('a change of sockets under load loses nothing: the other one takes over', async () => {
    const transports = [new PacketTransport(options()), new PacketTransport(options())];
    const [first, second] = transports;
    const local = { address: ip('127.0.0.1'), port: 0 };
    const onArrival = ({ bytes }: { bytes: Uint8Array }, respond: (reply: Uint8Array) => void) =>
      respond(bytes);
    const old = await first?.open({ local, listener: 0 }, onArrival);
    const port = old?.local.port ?? 0;
    const clients = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const socket = createSocket('udp4').bind(0, '127.0.0.1');
        await once(socket, 'listening');
        // Clients and servers share this process: what comes while it is busy must wait somewhere.
        socket.setRecvBufferSize(1 << 20);
        return socket;
      }),
    );
    let answered = 0;
    let sent = 0;
    for (const client of clients) client.on('message', () => void answered++);
    const load = setInterval(() => {
      // More than that would wait in sockets that have no room for them while a thread is kept from the processor.
      if (sent - answered > MOST_UNDER_WAY) return;
      for (const client of clients) {
        for (const word of ['hot', 'cold', 'hot']) {
          client.send(word, port, '127.0.0.1');
          sent++;
        }
      }
    }, 4);
    await expect.poll(() => answered, PATIENTLY).toBeGreaterThan(200);
    const successor = await second?.open({ local: { ...local, port }, listener: 0 }, onArrival);
    await expect.poll(() => answered, PATIENTLY).toBeGreaterThan(1500);
    await old?.stopTaking?.();
    await new Promise((resolve) => setImmediate(resolve));
    await old?.close();
    const since = answered;
    await expect.poll(() => answered, PATIENTLY).toBeGreaterThan(since + 400);
    clearInterval(load);
    await expect.poll(() => answered, PATIENTLY).toBe(sent);
    await successor?.close();
    for (const client of clients) client.close();
    for (const transport of transports) await transport.close();
  });
});
