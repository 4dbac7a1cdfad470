import { afterEach, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import { replyTo } from '../../dns/reply.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';
import { answering } from './testing/fake-upstream.ts';
import { addressOf, ForwardRig, until } from './testing/forward-rig.ts';

const ONE = [record('example.org. 300 A 192.0.2.1')];
const rig = new ForwardRig();
afterEach(() => rig.close());

describe('next_on_nodata', () => {
  it.each([
    ['an empty answer', [], RCODE.NOERROR, 1],
    ['an answer', ONE, RCODE.NOERROR, 0],
    ['a denial', [], RCODE.NXDOMAIN, 0],
  ])('after %s', async (_case, answers, rcode, others) => {
    const first = await rig.upstream(answering(answers, { rcode }));
    const other = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${first.text} {\nnext_on_nodata\n}\nforward . ${other.text}`);
    await run(ask('example.org.'));
    expect(other.asked).toHaveLength(others);
  });
});

it('a handler that throws behind next spoils its own query only', async () => {
  const first = await rig.upstream(answering([], { rcode: RCODE.NXDOMAIN }));
  const { run } = rig.forwarder(
    `forward . ${first.text} {\nnext NXDOMAIN\n}\nforward other.example 127.0.0.1`,
    () => {
      throw new Error('a bug');
    },
  );
  await expect(run(ask('example.org.'))).rejects.toThrow('a bug');
  await expect(run(ask('example.org.'))).rejects.toThrow('a bug');
});

describe('source_address', () => {
  it.each([['udp'], ['tcp']] as const)('is where questions come from by %s', async (transport) => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text} {\nsource_address 127.0.0.9\n}`);
    expect(addressOf(await run(ask('example.org.', 'A', { transport })))).toBe('192.0.2.1');
    expect(server.asked.map(({ sourceAddress }) => sourceAddress)).toEqual(['127.0.0.9']);
  });

  it('that is not of this machine fails each query, and nothing else', async () => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text} {\nsource_address 192.0.2.99\n}`);
    for (let i = 0; i < 3; i++) {
      const { error, rcode } = await run(ask('example.org.'));
      expect(rcode).toBe(RCODE.SERVFAIL);
      expect(error?.message).toBe(`dial udp ${server.text}: connect: cannot assign requested address`);
    }
    expect(server.asked).toEqual([]);
  });

  it('of another family than the upstream is refused', () => {
    expect(() => setUp(setup, 'forward . 127.0.0.1 {\nsource_address ::1\n}')).toThrow(
      /source_address ::1 cannot reach 127\.0\.0\.1:53/,
    );
  });
});

describe('at shutdown', () => {
  it('questions by UDP under way get their answers, and then nothing is left', async () => {
    const held: (() => void)[] = [];
    const server = await rig.upstream(({ query, send }) =>
      held.push(() => send(encodeMessage(replyTo(query)))),
    );
    const host = fakeHost();
    const instance = setUp(setup, `forward . ${server.text}`, { host });
    const handler = instance.plugin?.(() => ({ rcode: RCODE.NXDOMAIN }));
    const waiting = Array.from({ length: 100 }, (_, i) => handler?.(ask(`n${i}.example.`)));
    await until(() => held.length === 100);
    await instance.onShutdown?.();
    for (const answer of held) answer();
    for (const reply of await Promise.all(waiting)) expect(reply?.rcode).toBe(RCODE.NOERROR);
    host.clock.pass(10_000);
    expect(host.clock.pending).toBe(0);
  });
});

describe('metrics', () => {
  it('tell of each upstream how long it took, by rcode, and whether a port was open', async () => {
    const server = await rig.upstream(answering([], { rcode: RCODE.NXDOMAIN }));
    const { host, run } = rig.forwarder(`forward . ${server.text}`);
    for (let i = 0; i < 100; i++) await run(ask(`n${i}.example.`));
    const to = `to="${server.text}"`;
    const duration = 'coredns_proxy_request_duration_seconds';
    const labels = `proxy_name="forward",rcode="NXDOMAIN",${to}`;
    expect(await host.metric(`${duration}_count{${labels}}`)).toBe(100);
    const pool = `{proto="udp",proxy_name="forward",${to}}`;
    expect(await host.metric(`coredns_proxy_conn_cache_misses_total${pool}`)).toBe(64);
    expect(await host.metric(`coredns_proxy_conn_cache_hits_total${pool}`)).toBe(36);
  });
});

describe('prefer_udp', () => {
  it('asks by TCP what is too long for a datagram', async () => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text} {\nprefer_udp\n}`);
    const query = ask('example.org.', 'A', { transport: 'tcp', udpSize: 1232 });
    const options = [{ code: 12, data: new Uint8Array(60_000) }];
    const edns = { version: 0, udpSize: 1232, dnssecOk: false, options };
    expect(addressOf(await run({ ...query, message: { ...query.message, edns } }))).toBe('192.0.2.1');
    expect(server.asked.map(({ transport }) => transport)).toEqual(['tcp']);
  });

  it('asks by UDP for a TCP client, and by TCP after all when the reply is truncated', async () => {
    const server = await rig.upstream(({ query, transport, send }) => {
      const reply = replyTo(query, { answers: transport === 'tcp' ? ONE : [] });
      send(encodeMessage({ ...reply, flags: { ...reply.flags, truncated: transport === 'udp' } }));
    });
    const { run } = rig.forwarder(`forward . ${server.text} {\nprefer_udp\n}`);
    const reply = await run(ask('example.org.', 'A', { transport: 'tcp' }));
    expect(server.asked.map((asked) => asked.transport)).toEqual(['udp', 'tcp']);
    expect(addressOf(reply)).toBe('192.0.2.1');
  });
});
