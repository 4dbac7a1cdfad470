import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler } from '../../server/handler.ts';
import { type FakeHost, fakeHost, name, setUp } from '../fake-host.ts';
import { ask, ip } from '../fake-query.ts';
import { reachable } from './probe.ts';
import { setup } from './setup.ts';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Listener {
  readonly port: number;
  readonly probes: Message[];
}

/** The server's own listener: keeps what it is sent, and answers it unless told not to. */
async function listener(answers = true): Promise<Listener> {
  const socket = createSocket('udp4');
  const probes: Message[] = [];
  socket.on('message', (bytes, from) => {
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) return;
    probes.push(decoded.value);
    if (answers) socket.send(encodeMessage(replyTo(decoded.value, { rcode: 3 })), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  cleanUps.push(() => new Promise((resolve) => socket.close(() => resolve())));
  return { port: socket.address().port, probes };
}

async function until(reached: () => boolean): Promise<void> {
  await expect.poll(reached, { interval: 1 }).toBe(true);
}

function started(port: number, zone = '.'): { host: FakeHost; handler: Handler } {
  const host = fakeHost();
  const block = { zones: [name(zone), name('other.example.')], server: 'dns://:53' };
  const instance = setUp(setup, 'loop', { host, block });
  cleanUps.push(() => instance.onShutdown?.());
  instance.onStarted?.([{ address: ip('127.0.0.1'), port }]);
  const handler = instance.plugin?.(() => ({ rcode: 3 }));
  if (handler === undefined) throw new Error('no plugin');
  return { host, handler };
}

describe('the probe', () => {
  it('is an HINFO query for two random numbers in the first zone, sent to the own listener', async () => {
    const { port, probes } = await listener();
    started(port, 'example.org.');
    await until(() => probes.length === 1);
    const [question] = probes[0]?.questions ?? [];
    expect(question).toMatchObject({ type: 13, class: 1 });
    expect(question?.name).toMatch(/^\d+\.\d+\.example\.org\.$/);
  });

  it('has a name of two numbers of 62 bits that is never the same', async () => {
    const { port, probes } = await listener();
    for (let i = 0; i < 20; i++) started(port);
    await until(() => probes.length === 20);
    const names = probes.map(({ questions }) => questions[0]?.name ?? '');
    expect(new Set(names).size).toBe(20);
    const numbers = names.flatMap((text) => text.split('.').slice(0, 2).map(BigInt));
    for (const number of numbers) expect(number).toBeLessThan(2n ** 62n);
    expect(numbers.some((number) => number > 2n ** 61n)).toBe(true);
  });

  it('is repeated every second until something answers, for 30 seconds at most', async () => {
    const { port, probes } = await listener(false);
    const { host } = started(port);
    for (let i = 1; i <= 10; i++) {
      await until(() => probes.length === i);
      host.clock.pass(3000);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(probes).toHaveLength(10);
    expect(host.clock.pending).toBe(0);
  });

  it('is not repeated after an answer', async () => {
    const { port, probes } = await listener();
    const { host } = started(port);
    await until(() => host.clock.started === 2);
    host.clock.pass(30_000);
    expect(probes).toHaveLength(1);
    expect(host.clock.pending).toBe(0);
  });

  it('survives a listener that cannot be reached', async () => {
    const host = fakeHost();
    const instance = setUp(setup, 'loop', { host });
    cleanUps.push(() => instance.onShutdown?.());
    instance.onStarted?.([{ address: ip('255.255.255.255'), port: 53 }]);
    await until(() => host.clock.started === 2);
  });

  it('reaches a wildcard listener by loopback and calls it by its port', () => {
    expect(reachable({ address: ip('0.0.0.0'), port: 53 })).toEqual({
      text: ':53',
      target: { address: '127.0.0.1', port: 53 },
    });
    expect(reachable({ address: ip('::'), port: 53 }).target.address).toBe('::1');
    expect(reachable({ address: ip('10.0.0.1'), port: 53 }).text).toBe('10.0.0.1:53');
  });
});

describe('loop', () => {
  async function seen(
    times: number,
  ): Promise<{ host: FakeHost; last: () => unknown; port: number; probe: string }> {
    const { port, probes } = await listener();
    const { host, handler } = started(port);
    await until(() => probes.length === 1);
    const probe = probes[0]?.questions[0]?.name ?? '';
    for (let i = 1; i < times; i++) await handler(ask(probe, 'HINFO'));
    return {
      host,
      port,
      probe,
      last: () => handler(ask(probe, 'HINFO', { client: '10.0.0.9', port: 5300 })),
    };
  }

  it('ends the process when the probe comes by for the third time, in the words of CoreDNS', async () => {
    const { host, last, port, probe } = await seen(3);
    expect(last).toThrow('the process would have ended');
    expect(host.lines).toEqual([
      `[FATAL] Loop (10.0.0.9:5300 -> 127.0.0.1:${port}) detected for zone ".", see ` +
        `https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ${probe}"`,
    ]);
  });

  it('lets the probe and one echo pass', async () => {
    const { last } = await seen(2);
    expect(last()).toEqual({ rcode: 3 });
  });

  it('counts only its own name and type', async () => {
    const { port, probes } = await listener();
    const { handler } = started(port);
    await until(() => probes.length === 1);
    const probe = probes[0]?.questions[0]?.name ?? '';
    for (let i = 0; i < 10; i++) await handler(ask(probe, 'A'));
    for (let i = 0; i < 10; i++) await handler(ask('1.2.', 'HINFO'));
  });

  it('is over two seconds after the answer', async () => {
    const { host, last } = await seen(2);
    await until(() => host.clock.started === 2);
    host.clock.pass(2000);
    for (let i = 0; i < 10; i++) last();
    expect(host.lines).toEqual([]);
  });

  it.each([
    ['an argument', 'loop .', /after '\.'/],
    ['an option', 'loop {\nx\n}', /unknown property 'x'/],
    ['a second one', 'loop\nloop', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
