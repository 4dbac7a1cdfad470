import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OPCODE, RCODE, TYPE } from '../../dns/codes.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { soaRecord } from '../../dns/rdata/soa.ts';
import type { Handler, Query, Reply } from '../../server/handler.ts';
import type { PluginInstance, ZoneTransfer } from '../contract.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { ask, ip, record } from '../fake-query.ts';
import { ATTEMPTS } from './notifier.ts';
import { setup } from './setup.ts';

/** Files and packets on a machine that may be busy. */
const PATIENTLY = { timeout: 15_000 };
const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** Answers with rcode 42, which no plugin does. */
const next: Handler = () => ({ rcode: 42 });
const SOA = soaRecord(name('example.test.'), 60, {
  mname: name('ns.example.test.'),
  rname: name('hostmaster.example.test.'),
  serial: 7,
  refreshSeconds: 7200,
  retrySeconds: 1800,
  expireSeconds: 86_400,
  minimumSeconds: 60,
});
const HOST = record('a.example.test. 60 A 192.0.2.1');

/** The zone example.test of three messages, with serial 7. */
const offer: ZoneTransfer = (zone, since) => {
  if (zone !== 'example.test.') return undefined;
  return since === 7 ? [[SOA]] : [[SOA, HOST], [HOST], [HOST, SOA]];
};

function start(lines: string, transfers: readonly ZoneTransfer[] = [offer]) {
  const host = fakeHost({ neighbours: { transfers }, random: () => 0.5 });
  const instance: PluginInstance = setUp(setup, lines, { host });
  cleanUps.push(() => instance.onShutdown?.());
  const handler = instance.plugin?.(next);
  if (handler === undefined) throw new Error('transfer has no plugin');
  return { host, instance, run: (query: Query) => handler(query) as Reply };
}

const axfr = (options = {}) => ask('example.test', 'AXFR', { transport: 'tcp', ...options });

function ixfr(serial: number | undefined, transport: 'tcp' | 'udp' = 'tcp'): Query {
  const query = ask('example.test', 'IXFR', { transport });
  const soa: ResourceRecord = soaRecord(SOA.name, 0, {
    mname: name('.'),
    rname: name('.'),
    serial: serial ?? 0,
    refreshSeconds: 0,
    retrySeconds: 0,
    expireSeconds: 0,
    minimumSeconds: 0,
  });
  return serial === undefined ? query : { ...query, message: { ...query.message, authorities: [soa] } };
}

function sizes({ message, more = [] }: Reply): readonly number[] {
  return [message, ...more].map((each) => each?.answers.length ?? 0);
}

describe('transfer refuses', () => {
  it.each([
    { what: 'nobody', lines: 'transfer example.test', text: "'to' is required" },
    { what: 'an empty block', lines: 'transfer { \n }', text: "'to' is required" },
    { what: 'to without addresses', lines: 'transfer { \n to \n }', text: 'Wrong argument count' },
    { what: 'a name', lines: 'transfer { \n to ns.example \n }', text: 'ns.example' },
    { what: 'a network that is none', lines: 'transfer { \n to 10.0.0.0/33 \n }', text: '10.0.0.0/33' },
    { what: 'a port that is none', lines: 'transfer { \n to 10.0.0.1:99999 \n }', text: '10.0.0.1:99999' },
    { what: 'an unknown option', lines: 'transfer { \n from * \n }', text: "unknown property 'from'" },
  ])('$what', ({ lines, text }) => {
    expect(() => setUp(setup, lines)).toThrow(text);
  });
});

describe('a zone is handed out', () => {
  it.each([
    { what: 'to everybody', to: '*', client: '10.0.0.1', sent: true },
    { what: 'to an address', to: '10.0.0.1', client: '10.0.0.1', sent: true },
    {
      what: 'to an address, whatever port is told of changes',
      to: '10.0.0.1:99',
      client: '10.0.0.1',
      sent: true,
    },
    { what: 'to an IPv6 address', to: '2001:db8::1', client: '2001:db8::1', sent: true },
    { what: 'to an IPv6 address with a port', to: '[2001:db8::1]:99', client: '2001:db8::1', sent: true },
    { what: 'to a network', to: '10.0.0.0/8', client: '10.200.0.1', sent: true },
    { what: 'to one of several', to: '10.0.0.9 10.0.0.1', client: '10.0.0.1', sent: true },
    { what: 'not to another address', to: '10.0.0.9', client: '10.0.0.1', sent: false },
    { what: 'not to another network', to: '10.0.0.0/24', client: '10.0.1.1', sent: false },
  ])('$what', ({ to, client, sent }) => {
    const reply = start(`transfer example.test { \n to ${to} \n }`).run(axfr({ client }));
    if (sent) expect(sizes(reply)).toEqual([2, 1, 2]);
    else expect(reply).toEqual({ rcode: RCODE.REFUSED });
  });

  it('with AA in every message, and the number of its records in the log', () => {
    const { host, run } = start('transfer { \n to * \n }');
    const reply = run(axfr());
    const messages = [reply.message, ...(reply.more ?? [])];
    expect(messages.map((each) => each?.flags.authoritative)).toEqual([true, true, true]);
    expect(host.lines).toEqual([
      '[INFO] Outgoing transfer of 5 records of zone "example.test." to 10.0.0.1 for 7 SOA serial',
    ]);
  });

  it.each([
    { what: 'over UDP', query: ask('example.test', 'AXFR'), expected: { rcode: RCODE.REFUSED } },
    {
      what: 'of a name that is no zone',
      query: ask('a.example.test', 'AXFR', { transport: 'tcp' }),
      expected: { rcode: 42 },
    },
    {
      what: 'of a zone of others',
      query: ask('other.test', 'AXFR', { transport: 'tcp' }),
      expected: { rcode: 42 },
    },
    { what: 'when something else is asked', query: ask('example.test', 'SOA'), expected: { rcode: 42 } },
    { what: 'of changes since nothing', query: ixfr(undefined), expected: { rcode: RCODE.FORMERR } },
  ])('not $what', ({ query, expected }) => {
    expect(start('transfer example.test { \n to * \n }').run(query)).toEqual(expected);
  });

  it.each([
    { what: 'changes since an older serial: all of it', query: ixfr(6), expected: [2, 1, 2] },
    { what: 'changes since this serial: the SOA', query: ixfr(7), expected: [1] },
    { what: 'changes over UDP: the SOA', query: ixfr(6, 'udp'), expected: [1] },
    { what: 'none over UDP: the SOA', query: ixfr(7, 'udp'), expected: [1] },
  ])('$what', ({ query, expected }) => {
    expect(sizes(start('transfer { \n to * \n }').run(query))).toEqual(expected);
  });

  it('by the first plugin that has the zone', () => {
    const { run } = start('transfer { \n to * \n }', [() => undefined, offer, () => [[SOA]]]);
    expect(sizes(run(axfr()))).toEqual([2, 1, 2]);
  });

  it('by the rule with the longest zone', () => {
    const lines = 'transfer . { \n to * \n }\n transfer example.test { \n to 10.0.0.9 \n }';
    expect(start(lines).run(axfr())).toEqual({ rcode: RCODE.REFUSED });
  });
});

describe('secondaries', () => {
  /** Answers with the rcode, or never. */
  async function secondary(rcode: number | undefined) {
    const heard: Message[] = [];
    const socket: Socket = createSocket('udp4');
    socket.on('message', (bytes, { port, address }) => {
      const decoded = decodeMessage(bytes);
      if (!decoded.ok) return;
      heard.push(decoded.value);
      const flags = { ...decoded.value.flags, response: true };
      if (rcode !== undefined) socket.send(encodeMessage({ ...decoded.value, flags, rcode }), port, address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    cleanUps.push(() => void socket.close());
    return { heard, place: `127.0.0.1:${socket.address().port}` };
  }
  const listeners = [{ address: ip('127.0.0.1'), port: 53 }];

  it('hear once of all that changed before the server was open, and of each change then', async () => {
    const { heard, place } = await secondary(0);
    const { host, instance } = start(`transfer example.test { \n to * ${place} \n }`);
    host.recordsChanged([name('example.test.'), name('a.example.test.'), name('other.test.')]);
    host.clock.pass(5000);
    expect(host.clock.pending).toBe(0);
    instance.onStarted?.(listeners);
    host.recordsChanged([name('Example.test.')]);
    host.clock.pass(1000);
    await vi.waitFor(() => expect(host.clock.pending).toBe(0), PATIENTLY);
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({
      opcode: OPCODE.NOTIFY,
      flags: { authoritative: true, response: false },
      questions: [{ name: 'example.test.', type: TYPE.SOA, class: 1 }],
    });
    host.recordsChanged([name('example.test.')]);
    host.clock.pass(1000);
    await vi.waitFor(() => expect(heard).toHaveLength(2), PATIENTLY);
  });

  it('are asked again a few times when they are silent', async () => {
    const { heard, place } = await secondary(undefined);
    const { host, instance } = start(`transfer example.test { \n to ${place} \n }`);
    instance.onStarted?.(listeners);
    host.recordsChanged([name('example.test.')]);
    host.clock.pass(1000);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      await vi.waitFor(() => expect(heard).toHaveLength(attempt), PATIENTLY);
      host.clock.pass(2000 * 2 ** (attempt - 1));
    }
    expect(host.clock.pending).toBe(0);
    expect(host.lines).toEqual([
      `[WARNING] Failed sending notifies: notify for zone "example.test." was not accepted by "${place}": no answer`,
    ]);
  });

  it('that refuse are told of in the log', async () => {
    const { place } = await secondary(RCODE.REFUSED);
    const { host, instance } = start(`transfer example.test { \n to ${place} \n }`);
    instance.onStarted?.(listeners);
    host.recordsChanged([name('example.test.')]);
    host.clock.pass(1000);
    await vi.waitFor(
      () => expect(host.lines).toEqual([expect.stringContaining('rcode was REFUSED')]),
      PATIENTLY,
    );
    expect(host.clock.pending).toBe(0);
  });

  it('hear nothing any more after the end', async () => {
    const { host, instance } = start('transfer example.test { \n to 127.0.0.1:9 \n }');
    instance.onStarted?.(listeners);
    host.recordsChanged([name('example.test.')]);
    await instance.onShutdown?.();
    expect(host.clock.pending).toBe(0);
  });

  it.each(['*', '127.0.0.0/8'])('called %s hear nothing', (to) => {
    const { host, instance } = start(`transfer example.test { \n to ${to} \n }`);
    instance.onStarted?.(listeners);
    host.recordsChanged([name('example.test.')]);
    expect(host.clock.pending).toBe(0);
  });
});
