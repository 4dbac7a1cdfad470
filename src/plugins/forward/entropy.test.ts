/** What somebody who wants to forge answers from afar has to guess, and what he gets for a wrong guess. */
import { randomFillSync } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import { DeadlineQueue } from '../../telemetry/deadline-queue.ts';
import { fakeHost, name } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { Batch } from './exchange/batch.ts';
import type { Exchanged } from './exchange/exchange.ts';
import { RandomWords } from './exchange/random-words.ts';
import { type Arrival, type Departure, UdpPort } from './exchange/udp-port.ts';
import { type Asked, answering, type FakeUpstream, silent } from './testing/fake-upstream.ts';
import { addressOf, ForwardRig, until } from './testing/forward-rig.ts';
import { parseUpstream, type UpstreamAddress } from './upstream-address.ts';

const rig = new ForwardRig();
afterEach(() => rig.close());

/** Every attempt counts, and nothing else asks. */
const forwarder = (server: FakeUpstream, lines = '') =>
  rig.forwarder(`forward . ${server.text} {\nmax_fails 0\n${lines}\n}`);

const TRUE = [record('example.org. 300 A 192.0.2.1')];
const FALSE = [record('example.org. 300 A 203.0.113.66')];
const forged = (query: Message, change: Partial<Message> = {}) =>
  encodeMessage({ ...replyTo(query, { answers: FALSE }), ...change });

function localUpstream(port: number): UpstreamAddress {
  const upstream = parseUpstream(`127.0.0.1:${port}`);
  if (upstream === undefined) throw new Error('no upstream');
  return upstream;
}

async function stranger(): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  rig.atEnd(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return socket;
}

describe('ports and ids', () => {
  const ASKED = 2000;

  async function sample(): Promise<{ ports: number[]; ids: number[] }> {
    const server = await rig.upstream(({ query, send }) => send(encodeMessage(replyTo(query))));
    const { run } = forwarder(server);
    for (let i = 0; i < ASKED; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, j) => run(ask(`n${i + j}.example.`))));
    }
    expect(server.asked).toHaveLength(ASKED);
    return {
      ports: server.asked.map(({ sourcePort }) => sourcePort),
      ids: server.asked.map(({ query }) => query.id),
    };
  }

  it('are many, spread over what there is, and tell nothing of the next', async () => {
    const { ports, ids } = await sample();
    const distinct = [...new Set(ports)].sort((a, b) => a - b);
    expect(distinct.length).toBeGreaterThanOrEqual(64);
    // Of 64 ports drawn from 28,000 none is expected beside another, and the outermost are far apart.
    const neighbours = distinct.filter((port, i) => port - (distinct[i - 1] ?? 0) === 1);
    expect(neighbours.length).toBeLessThan(8);
    expect((distinct.at(-1) ?? 0) - (distinct[0] ?? 0)).toBeGreaterThan(10_000);
    // The next question leaves from the same port about once in 64 times.
    const repeats = ports.filter((port, i) => port === ports[i - 1]).length;
    expect(repeats).toBeLessThan(ASKED / 20);
    const uses = distinct.map((port) => ports.filter((other) => other === port).length);
    expect(Math.max(...uses)).toBeLessThan(100);
    // 2,000 of 65,536: some thirty are expected to meet.
    expect(new Set(ids).size).toBeGreaterThan(1900);
    for (let bit = 0; bit < 16; bit++) {
      const ones = ids.filter((id) => (id >> bit) & 1).length;
      expect(ones).toBeGreaterThan(850);
      expect(ones).toBeLessThan(1150);
    }
  });

  it('are replaced: after some hundred questions a port, and all of them after ten seconds', async () => {
    const server = await rig.upstream(({ query, send }) => send(encodeMessage(replyTo(query))));
    const { host, run } = forwarder(server);
    for (let i = 0; i < 200; i++) await run(ask(`n${i}.example.`));
    const before = new Set(server.asked.map(({ sourcePort }) => sourcePort));
    host.clock.pass(10_000);
    for (let i = 0; i < 200; i++) await run(ask(`m${i}.example.`));
    const after = new Set(server.asked.slice(200).map(({ sourcePort }) => sourcePort));
    // Of some 64 new ports one in seven samples has a number again by chance, and none has many.
    expect([...after].filter((port) => before.has(port)).length).toBeLessThan(8);
  });

  it('become more ports while many questions wait, within bounds', async () => {
    const held: (() => void)[] = [];
    const server = await rig.upstream(({ query, send }) =>
      held.push(() => send(encodeMessage(replyTo(query)))),
    );
    const { run } = forwarder(server);
    const waiting: Promise<unknown>[] = [];
    for (let i = 0; i < 2000; i++) {
      waiting.push(run(ask(`n${i}.example.`)));
      // A socket's receive buffer holds some 200 packets: more in one go would be lost on the way.
      if (i % 100 === 99) await until(() => held.length > i);
    }
    const ports = new Set(server.asked.map(({ sourcePort }) => sourcePort)).size;
    expect(ports).toBeGreaterThan(200);
    expect(ports).toBeLessThanOrEqual(512);
    for (const [i, answer] of held.entries()) {
      answer();
      if (i % 100 === 99) await new Promise(setImmediate);
    }
    await Promise.all(waiting);
  });

  it('are a new port for each question when nothing is to be kept', async () => {
    const server = await rig.upstream(({ query, send }) => send(encodeMessage(replyTo(query))));
    const { run } = forwarder(server, 'expire 0s');
    for (let i = 0; i < 100; i++) await run(ask(`n${i}.example.`));
    // Of 100 drawn from 28,000 one in six samples has a number twice by chance, and none has many.
    expect(new Set(server.asked.map(({ sourcePort }) => sourcePort)).size).toBeGreaterThan(90);
  });
});

describe('a forged answer', () => {
  const other = [{ name: name('example.net.'), type: 1, class: 1 }];
  it.each<[string, (query: Message) => Uint8Array]>([
    ['with another id', (query) => forged(query, { id: query.id ^ 0x8000 })],
    ['to another name', (query) => forged(query, { questions: other })],
    [
      'to another type',
      (query) => forged(query, { questions: [{ ...other[0], ...query.questions[0], type: 28 } as never] }),
    ],
    [
      'to another class',
      (query) => forged(query, { questions: [{ ...other[0], ...query.questions[0], class: 3 } as never] }),
    ],
    ['to two questions', (query) => forged(query, { questions: [...query.questions, ...other] })],
    ['without a question', (query) => forged(query, { questions: [] })],
    ['to a message of another kind', (query) => forged(query, { opcode: 4 })],
    ['that is no answer', (query) => forged(query, { flags: query.flags })],
    ['cut short within the question', (query) => forged(query).subarray(0, 20)],
    ['of eleven bytes', (query) => forged(query).subarray(0, 11)],
  ])('%s is not believed, and the true one behind it is', async (_case, forge) => {
    const server = await rig.upstream(({ query, send }) => {
      send(forge(query));
      send(encodeMessage(replyTo(query, { answers: TRUE })));
    });
    const { run } = forwarder(server);
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
  });

  it('from another port of the upstream is not believed', async () => {
    const socket = await stranger();
    const server = await rig.upstream(({ query, sourcePort, send }) => {
      socket.send(forged(query), sourcePort, '127.0.0.1', () => answering(TRUE)({ query, send } as never));
    });
    const { run } = forwarder(server);
    for (let i = 0; i < 20; i++) expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
  });

  it('in another letter case is an answer all the same (RFC 4343)', async () => {
    const server = await rig.upstream(({ query, send }) => {
      const [question] = query.questions;
      if (question === undefined) return;
      const questions = [{ ...question, name: name(question.name.toUpperCase()) }];
      send(encodeMessage({ ...replyTo(query, { answers: TRUE }), questions }));
    });
    const { run } = forwarder(server);
    const reply = await run(ask('eXample.org.'));
    expect(addressOf(reply)).toBe('192.0.2.1');
    expect(reply.message?.questions[0]?.name).toBe('eXample.org.');
  });

  it('does not end by guessing: a port that hears many wrong ids is given up', async () => {
    const server = await rig.upstream(({ query, send }) => {
      for (let guess = 1; guess <= 1000; guess++) send(forged(query, { id: (query.id + guess) & 0xffff }));
    });
    const { host, run } = forwarder(server, 'max_connect_attempts 1');
    const { error, rcode } = await run(ask('example.org.'));
    expect(rcode).toBe(RCODE.SERVFAIL);
    expect(error?.message).toContain('too many answers to questions never asked');
    server.script(answering(TRUE));
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
    host.clock.pass(10_000);
    expect(host.clock.pending).toBe(0);
  });

  it('is not what late answers are taken for: a port stays as long as its upstream is only slow', async () => {
    const held: (() => void)[] = [];
    const server = await rig.upstream(({ query, send }) => {
      if (query.questions[0]?.name === 'example.org.') answering(TRUE)({ query, send } as Asked);
      else held.push(() => send(encodeMessage(replyTo(query))));
    });
    const { clock } = fakeHost();
    const port = new UdpPort({
      clock,
      random: new RandomWords((words) => void randomFillSync(words)),
      deadlines: new DeadlineQueue(clock, 2000),
      upstream: localUpstream(server.port),
      sourceAddress: undefined,
      arrivals: new Batch<Arrival>(setImmediate, (arrival) => arrival.port.receive(arrival.bytes)),
      departures: new Batch<Departure>(process.nextTick, (leaving) => leaving.port.send(leaving.waiting)),
      questions: 1000,
      onRetired: () => undefined,
    });
    rig.atEnd(() => port.retire());
    const outcomes: Exchanged[] = [];
    for (let asked = 0; asked < 400; asked += 100) {
      for (let i = 0; i < 100; i++)
        port.ask(ask(`n${i}.example.`).message, (outcome) => outcomes.push(outcome));
      await until(() => held.length === asked + 100);
    }
    clock.pass(2000);
    expect(outcomes.filter((outcome) => !outcome.ok)).toHaveLength(400);
    for (const [i, answer] of held.entries()) {
      answer();
      // A socket's receive buffer holds some 200 packets: more than it has read by then would be lost on the way.
      if (i % 100 !== 99) continue;
      const last = await new Promise<Exchanged>((resolve) => port.ask(ask('example.org.').message, resolve));
      expect(last.ok).toBe(true);
    }
  });

  it('has no second question to aim at: equal ones share one query', async () => {
    const server = await rig.upstream(silent);
    const { host, run } = forwarder(server);
    const waiting = Array.from({ length: 100 }, (_, id) => run(ask('example.org.', 'A', { id })));
    await until(() => server.asked.length === 1);
    host.clock.pass(2000);
    await until(() => server.asked.length === 2);
    host.clock.pass(2000);
    await Promise.all(waiting);
    expect(server.asked).toHaveLength(2);
  });
});
