import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { frameMessage } from '../../dns/frames.ts';
import type { Message } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { type FakeHost, fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';
import { type Asked, answering, FakeUpstream, type Script, silent } from './testing/fake-upstream.ts';

const ONE = [record('example.org. 300 A 192.0.2.1')];
const cleanUps: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function upstream(script: Script, port?: number): Promise<FakeUpstream> {
  const server = await FakeUpstream.start(script, port);
  cleanUps.push(() => server.close());
  return server;
}

function byTcp(server: FakeUpstream, lines = ''): { host: FakeHost; run(query: Query): Promise<Reply> } {
  const host = fakeHost();
  const instance = setUp(setup, `forward . ${server.text} {\nforce_tcp\nmax_fails 0\n${lines}\n}`, { host });
  cleanUps.push(() => instance.onShutdown?.());
  const handler = instance.plugin?.(() => ({ rcode: RCODE.NXDOMAIN }));
  if (handler === undefined) throw new Error('no plugin');
  return { host, run: async (query) => handler(query) };
}

async function until(reached: () => boolean): Promise<void> {
  await expect.poll(reached, { interval: 1 }).toBe(true);
}

const addressOf = ({ message }: Reply) => message?.answers[0] && recordAddress(message.answers[0]);

function ownAnswer(query: Message): Uint8Array {
  return encodeMessage(replyTo(query, { answers: [record(`${query.questions[0]?.name} 60 A 192.0.2.1`)] }));
}

describe('forward by TCP', () => {
  it('asks one question after the other on one connection', async () => {
    const server = await upstream(answering(ONE));
    const { host, run } = byTcp(server);
    for (let i = 0; i < 10; i++) expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
    expect(server.connections).toBe(1);
    const labels = `{proto="tcp",proxy_name="forward",to="${server.text}"}`;
    expect(await host.metric(`coredns_proxy_conn_cache_misses_total${labels}`)).toBe(1);
    expect(await host.metric(`coredns_proxy_conn_cache_hits_total${labels}`)).toBe(9);
  });

  it('is what a TCP client gets without any option', async () => {
    const server = await upstream(answering(ONE));
    const instance = setUp(setup, `forward . ${server.text}`);
    cleanUps.push(() => instance.onShutdown?.());
    await instance.plugin?.(() => ({ rcode: 0 }))(ask('example.org.', 'A', { transport: 'tcp' }));
    expect(server.asked.map((asked) => asked.transport)).toEqual(['tcp']);
  });

  it('matches answers that come in another order than the questions went', async () => {
    const held: Asked[] = [];
    const server = await upstream((asked) => void held.push(asked));
    const { run } = byTcp(server);
    const waiting = Array.from({ length: 10 }, (_, i) => run(ask(`n${i}.example.`)));
    await until(() => held.length === 10);
    for (const { query, send } of held.reverse()) send(ownAnswer(query));
    const owners = (await Promise.all(waiting)).map(({ message }) => message?.answers[0]?.name);
    expect(owners).toEqual(waiting.map((_, i) => `n${i}.example.`));
    expect(server.connections).toBe(1);
  });

  it('carries a thousand questions at once over a bounded number of connections', async () => {
    const server = await upstream(({ query, send }) => send(ownAnswer(query)));
    const { run } = byTcp(server);
    const waiting = Array.from({ length: 1000 }, (_, i) => run(ask(`n${i}.example.`)));
    const owners = (await Promise.all(waiting)).map(({ message }) => message?.answers[0]?.name);
    expect(owners).toEqual(waiting.map((_, i) => `n${i}.example.`));
    expect(server.connections).toBeLessThanOrEqual(16);
  });

  it('asks past a question that takes long, for an upstream that answers one after the other', async () => {
    const slow: Asked[] = [];
    const server = await upstream((asked) => {
      const blocked = slow.some(({ sourcePort }) => sourcePort === asked.sourcePort);
      if (blocked || asked.query.questions[0]?.name === 'slow.example.') slow.push(asked);
      else asked.send(ownAnswer(asked.query));
    });
    const { host, run } = byTcp(server);
    const late = run(ask('slow.example.'));
    await until(() => slow.length === 1);
    host.clock.pass(50);
    for (const name of ['a.example.', 'b.example.']) {
      expect(addressOf(await run(ask(name)))).toBe('192.0.2.1');
    }
    expect(server.connections).toBe(2);
    for (const { query, send } of slow) send(ownAnswer(query));
    expect(addressOf(await late)).toBe('192.0.2.1');
  });

  it('asks again at once on a fresh connection when the kept one has been closed', async () => {
    const server = await upstream(answering(ONE));
    const { run } = byTcp(server, 'max_connect_attempts 1');
    await run(ask('example.org.'));
    let hungUp = 0;
    server.script((asked) => {
      if (hungUp++ === 0) asked.hangUp();
      else answering(ONE)(asked);
    });
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
    expect(server.connections).toBe(2);
  });

  it('loses none of the questions that wait when the upstream restarts', async () => {
    const server = await upstream(({ query, send }) => send(ownAnswer(query)));
    const { run } = byTcp(server, 'max_connect_attempts 1');
    await run(ask('first.example.'));
    server.script(silent);
    const waiting = Array.from({ length: 15 }, (_, i) => run(ask(`n${i}.example.`)));
    await until(() => server.asked.length === 16);
    server.script(({ query, send }) => send(ownAnswer(query)));
    server.hangUp();
    const owners = (await Promise.all(waiting)).map(({ message }) => message?.answers[0]?.name);
    expect(owners).toEqual(waiting.map((_, i) => `n${i}.example.`));
    expect(server.connections).toBe(2);
  });

  it('reports EOF when a fresh connection is closed too', async () => {
    const server = await upstream(({ hangUp }) => hangUp());
    const { run } = byTcp(server);
    const { rcode, error } = await run(ask('example.org.'));
    expect(rcode).toBe(RCODE.SERVFAIL);
    expect(error?.message).toBe('EOF');
    expect(server.connections).toBe(2);
  });

  it('leaves a connection that swallows a question without a sign of life', async () => {
    const server = await upstream(answering(ONE));
    const { host, run } = byTcp(server);
    await run(ask('example.org.'));
    server.script(silent);
    const waiting = run(ask('example.org.'));
    await until(() => server.asked.length === 2);
    server.script(answering(ONE));
    host.clock.pass(2000);
    expect(addressOf(await waiting)).toBe('192.0.2.1');
    expect(server.connections).toBe(2);
  });

  it('closes a connection after ten idle seconds', async () => {
    const server = await upstream(answering(ONE));
    const { host, run } = byTcp(server);
    await run(ask('example.org.'));
    host.clock.pass(9999);
    await run(ask('example.org.'));
    expect(server.connections).toBe(1);
    host.clock.pass(10_000);
    await run(ask('example.org.'));
    expect(server.connections).toBe(2);
  });

  it('says connection refused where nobody listens', async () => {
    const server = await FakeUpstream.start(silent);
    const { text } = server;
    await server.close();
    const { run } = byTcp({ text } as FakeUpstream);
    const { error } = await run(ask('example.org.'));
    expect(error?.message).toBe(`dial tcp ${text}: connect: connection refused`);
  });

  it('says that an address cannot be reached', async () => {
    const { run } = byTcp({ text: '255.255.255.255:53' } as FakeUpstream);
    const { error } = await run(ask('example.org.'));
    expect(error?.message).toMatch(/^dial tcp 255\.255\.255\.255:53: connect: /);
  });

  it('survives an upstream that writes what is no DNS', async () => {
    let round = 0;
    const server = await upstream(({ query, send }) => {
      const id = Uint8Array.of(query.id >> 8, query.id & 0xff);
      const noise = Uint8Array.from({ length: (round * 7) % 90 }, (_, i) => (i * 31 + round * 17) & 0xff);
      send(round++ % 3 === 0 ? noise.subarray(0, 9) : Buffer.concat([id, noise]));
    });
    const { host, run } = byTcp(server, 'max_connect_attempts 1');
    for (let i = 0; i < 60; i++) {
      const waiting = run(ask(`n${i}.example.`));
      await until(() => server.asked.length > i);
      // Noise may look like an answer to somebody else: then only time ends the wait.
      const settled = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 5))]);
      if (settled === undefined) host.clock.pass(2000);
      expect([RCODE.SERVFAIL, RCODE.FORMERR]).toContain((await waiting).rcode);
    }
  });

  it('keeps as many idle connections as max_idle_conns says', async () => {
    const held: Asked[] = [];
    const server = await upstream((asked) => void held.push(asked));
    const { run } = byTcp(server, 'max_idle_conns 1');
    const waiting = Array.from({ length: 60 }, (_, i) => run(ask(`n${i}.example.`)));
    await until(() => held.length === 60);
    expect(server.open).toBeGreaterThan(1);
    for (const { query, send } of held) send(ownAnswer(query));
    await Promise.all(waiting);
    await until(() => server.open === 1);
  });

  it('gives no more questions to a connection older than max_age', async () => {
    const server = await upstream(answering(ONE));
    const { host, run } = byTcp(server, 'max_age 5s');
    await run(ask('example.org.'));
    host.clock.pass(4999);
    await run(ask('example.org.'));
    expect(server.connections).toBe(1);
    host.clock.pass(1);
    await run(ask('example.org.'));
    expect(server.connections).toBe(2);
    await until(() => server.open === 1);
  });

  it('leaves an upstream that floods it with answers nobody asked for', async () => {
    const server = await upstream(({ query, send }) => {
      for (let i = 1; i < 1000; i++) send(encodeMessage({ ...replyTo(query), id: (query.id + i) & 0xffff }));
    });
    const { run } = byTcp(server, 'max_connect_attempts 1');
    const { error } = await run(ask('example.org.'));
    expect(error?.message).toBe('too many answers to questions never asked');
    await until(() => server.open === 0);
  });

  it('understands answers that come byte by byte', async () => {
    const raw = createServer((socket) => {
      socket.on('data', async (chunk: Buffer) => {
        const query = decodeMessage(chunk.subarray(2));
        if (!query.ok) return;
        for (const byte of frameMessage(ownAnswer(query.value))) {
          socket.write(Uint8Array.of(byte));
          await new Promise(setImmediate);
        }
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => new Promise((resolve) => raw.close(() => resolve())));
    const address = raw.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { run } = byTcp({ text: `127.0.0.1:${port}` } as FakeUpstream);
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
  });

  it('says i/o timeout when the upstream is silent', async () => {
    const server = await upstream(silent);
    const { host, run } = byTcp(server, 'max_connect_attempts 1');
    const waiting = run(ask('example.org.'));
    await until(() => server.asked.length === 1);
    host.clock.pass(2000);
    const path = `127.0.0.1:${server.asked[0]?.sourcePort}->${server.text}`;
    expect((await waiting).error?.message).toBe(`read tcp ${path}: i/o timeout`);
  });

  it('lets what is under way finish when the server stops, and closes then', async () => {
    const server = await upstream(silent);
    const instance = setUp(setup, `forward . ${server.text} {\nforce_tcp\n}`);
    const waiting = instance.plugin?.(() => ({ rcode: 0 }))(ask('example.org.'));
    await until(() => server.asked.length === 1);
    await instance.onShutdown?.();
    expect(server.open).toBe(1);
    for (const asked of server.asked) answering(ONE)(asked);
    expect((await waiting)?.rcode).toBe(RCODE.NOERROR);
    await until(() => server.open === 0);
  });

  it('leaves no connection behind after the server has stopped', async () => {
    const server = await upstream(answering(ONE));
    const instance = setUp(setup, `forward . ${server.text} {\nforce_tcp\n}`);
    const handler = instance.plugin?.(() => ({ rcode: 0 }));
    await handler?.(ask('example.org.'));
    await instance.onShutdown?.();
    await until(() => server.open === 0);
    expect((await handler?.(ask('example.org.')))?.rcode).toBe(RCODE.NOERROR);
    await until(() => server.open === 0);
  });
});

describe('health', () => {
  it('probes an upstream after a failure, leaves it out while it is down, and takes it back', async () => {
    const bad = await upstream(silent);
    const good = await upstream(answering(ONE));
    const host = fakeHost();
    const lines = `forward . ${bad.text} ${good.text} {\npolicy sequential\nmax_fails 1\n}`;
    const instance = setUp(setup, lines, { host });
    cleanUps.push(() => instance.onShutdown?.());
    const run = async (query: Query) => instance.plugin?.(() => ({ rcode: 0 }))(query);
    const probes = () => bad.asked.filter((asked) => asked.query.questions[0]?.type === 2).length;

    const first = run(ask('a.example.'));
    await until(() => bad.asked.length === 1);
    host.clock.pass(2000);
    await first;
    await until(() => probes() === 1);
    expect(bad.asked.at(-1)?.query).toMatchObject({
      questions: [{ name: '.' }],
      flags: { recursionDesired: true },
    });

    host.clock.pass(1000);
    await new Promise(setImmediate);
    host.clock.pass(500);
    await until(() => probes() === 2);
    host.clock.pass(1000);
    await new Promise(setImmediate);

    const seen = bad.asked.length;
    await run(ask('b.example.'));
    expect(bad.asked).toHaveLength(seen);
    const failures = `coredns_proxy_healthcheck_failures_total{proxy_name="forward",to="${bad.text}"}`;
    expect(await host.metric(failures)).toBe(2);

    bad.script(answering(ONE));
    host.clock.pass(500);
    await until(() => probes() === 3);
    const asked = () => bad.asked.at(-1)?.query.questions[0]?.name;
    for (let tries = 0; tries < 100 && asked() !== 'c.example.'; tries++) await run(ask('c.example.'));
    expect(asked()).toBe('c.example.');
  });

  async function allDown(option: string): Promise<{ host: FakeHost; reply: Reply | undefined }> {
    const server = await FakeUpstream.start(silent);
    const { text } = server;
    await server.close();
    const host = fakeHost();
    const instance = setUp(setup, `forward . ${text} {\nmax_fails 1\n${option}\n}`, { host });
    cleanUps.push(() => instance.onShutdown?.());
    const run = async () => instance.plugin?.(() => ({ rcode: 0 }))(ask('example.org.'));
    await run();
    const failures = `coredns_proxy_healthcheck_failures_total{proxy_name="forward",to="${text}"}`;
    for (let i = 1; i <= 2; i++) {
      for (let tries = 0; (await host.metric(failures)) !== i && tries < 1000; tries++) {
        await new Promise(setImmediate);
      }
      host.clock.pass(500);
    }
    return { host, reply: await run() };
  }

  it('asks one upstream nevertheless when all are down', async () => {
    const { host, reply } = await allDown('');
    expect(reply?.error?.message).toContain('connection refused');
    expect(await host.metric('coredns_forward_healthcheck_broken_total')).toBe(1);
  });

  it('fails at once when all are down and that is what the operator wants', async () => {
    const { reply } = await allDown('failfast_all_unhealthy_upstreams');
    expect(reply?.rcode).toBe(RCODE.SERVFAIL);
    expect(reply?.error?.message).toBe('no healthy proxies');
  });
});
