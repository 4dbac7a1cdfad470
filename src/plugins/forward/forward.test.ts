import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { name } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { answering, type FakeUpstream, silent } from './testing/fake-upstream.ts';
import { addressOf, ForwardRig, settledBy, until } from './testing/forward-rig.ts';

const ONE = [record('example.org. 300 A 192.0.2.1')];
const rig = new ForwardRig();
afterEach(() => rig.close());

describe('forward by UDP', () => {
  it("relays the upstream's answer, its own flags, and the client's id and spelling", async () => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text}`);
    const query = ask('eXample.ORG.', 'A', { id: 99 });
    const reply = await run(query);
    expect(addressOf(reply)).toBe('192.0.2.1');
    expect(reply.message).toMatchObject({ id: 99, questions: [{ name: 'eXample.ORG.' }] });
    expect(reply.message?.flags).toMatchObject({ recursionAvailable: true, authoritative: false });
    expect(query.metadata.get('forward/upstream')).toBe(server.text);
  });

  it('passes EDNS, DO, CD and RD on as they came', async () => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text}`);
    await run(ask('example.org.', 'A', { dnssecOk: true, checkingDisabled: true, recursionDesired: false }));
    expect(server.asked[0]?.query).toMatchObject({
      edns: { udpSize: 1232, dnssecOk: true },
      flags: { checkingDisabled: true, recursionDesired: false },
    });
  });

  it('asks from a new port and with a new id each time', async () => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text}`);
    for (let i = 0; i < 20; i++) await run(ask('example.org.', 'A', { id: 1 }));
    expect(new Set(server.asked.map((asked) => asked.sourcePort)).size).toBeGreaterThan(15);
    expect(new Set(server.asked.map((asked) => asked.query.id)).size).toBeGreaterThan(15);
  });

  it('ignores a reply with a wrong id and takes the right one behind it', async () => {
    const server = await rig.upstream(({ query, send }) => {
      const forged = [record('example.org. 300 A 203.0.113.66')];
      const wrong = { ...replyTo(query, { answers: forged }), id: query.id ^ 1 };
      send(encodeMessage(wrong));
      send(new Uint8Array(3));
      send(encodeMessage(replyTo(query, { answers: ONE })));
    });
    const { run } = rig.forwarder(`forward . ${server.text}`);
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
  });

  it('ignores a reply from another address, whatever it knows', async () => {
    const spoofer = createSocket('udp4');
    rig.atEnd(() => spoofer.close());
    const server = await rig.upstream(({ query, sourcePort, send }) => {
      const forged = replyTo(query, { answers: [record('example.org. 300 A 203.0.113.66')] });
      spoofer.send(encodeMessage(forged), sourcePort, '127.0.0.1', () => {
        send(encodeMessage(replyTo(query, { answers: ONE })));
      });
    });
    const { run } = rig.forwarder(`forward . ${server.text}`);
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
  });

  it.each<[string, Partial<Message>]>([
    ['another name', { questions: [{ name: name('example.net.'), type: 1, class: 1 }] }],
    ['another type', { questions: [{ name: name('example.org.'), type: 28, class: 1 }] }],
    ['no question', { questions: [] }],
  ])('does not believe a reply to %s, waits on, and then tells the client FORMERR', async (_case, change) => {
    const server = await rig.upstream(answering(ONE, change));
    const { host, run } = rig.forwarder(`forward . ${server.text}`);
    const waiting = run(ask('example.org.'));
    await until(() => server.asked.length === 1);
    const reply = await settledBy(host, waiting);
    expect(reply.rcode).toBe(RCODE.FORMERR);
    expect(reply.message).toBeUndefined();
  });

  it('sends the client to TCP when the reply carries its id and does not decode', async () => {
    const server = await rig.upstream(({ query, send }) => {
      send(encodeMessage(replyTo(query, { answers: ONE })).subarray(0, -2));
    });
    const { run } = rig.forwarder(`forward . ${server.text}`);
    const { message } = await run(ask('example.org.'));
    expect(message?.flags.truncated).toBe(true);
    expect(message?.answers).toEqual([]);
  });

  it('survives an upstream that answers with noise under the right id', async () => {
    let round = 0;
    const server = await rig.upstream(({ query, send }) => {
      const noise = Uint8Array.from(
        { length: 12 + ((round * 7) % 90) },
        (_, i) => (i * 31 + round * 17) & 0xff,
      );
      noise.set([query.id >> 8, query.id & 0xff]);
      round++;
      send(noise);
    });
    const { host, run } = rig.forwarder(`forward . ${server.text}`);
    const waiting = Array.from({ length: 200 }, (_, i) => run(ask(`n${i}.example.`)));
    await until(() => server.asked.length >= 200);
    for (const { rcode, message } of await settledBy(host, Promise.all(waiting))) {
      expect(rcode !== RCODE.NOERROR || message?.flags.truncated).toBe(true);
    }
  });

  it('passes a truncated reply on and does not ask again', async () => {
    const server = await rig.upstream(({ query, send }) => {
      const reply = replyTo(query, { answers: ONE });
      send(encodeMessage({ ...reply, flags: { ...reply.flags, truncated: true } }));
    });
    const { run } = rig.forwarder(`forward . ${server.text}`);
    expect((await run(ask('example.org.'))).message?.flags.truncated).toBe(true);
    expect(server.asked).toHaveLength(1);
  });

  it('gives up on a silent upstream after two attempts of two seconds, in the words of Go', async () => {
    const server = await rig.upstream(silent);
    const { host, run } = rig.forwarder(`forward . ${server.text} {\nmax_fails 0\n}`);
    const waiting = run(ask('example.org.'));
    await until(() => server.asked.length === 1);
    host.clock.pass(2000);
    await until(() => server.asked.length === 2);
    host.clock.pass(2000);
    const { rcode, error } = await waiting;
    expect(rcode).toBe(RCODE.SERVFAIL);
    const from = `127.0.0.1:${server.asked[1]?.sourcePort}`;
    expect(error?.message).toBe(`read udp ${from}->${server.text}: i/o timeout`);
    host.clock.pass(10_000);
    expect(host.clock.pending).toBe(0);
  });

  it('says connection refused where nobody listens', async () => {
    const port = await freePort();
    const { run } = rig.forwarder(`forward . 127.0.0.1:${port}`);
    const { rcode, error } = await run(ask('example.org.'));
    expect(rcode).toBe(RCODE.SERVFAIL);
    expect(error?.message).toMatch(
      new RegExp(`^read udp 127\\.0\\.0\\.1:\\d+->127\\.0\\.0\\.1:${port}: read: connection refused$`),
    );
  });

  it('says that an address cannot be reached, and goes on', async () => {
    // The kernel refuses to connect to the broadcast address; nothing is sent.
    const { run } = rig.forwarder('forward . 255.255.255.255');
    for (let i = 0; i < 2; i++) {
      const { rcode, error } = await run(ask('example.org.'));
      expect(rcode).toBe(RCODE.SERVFAIL);
      expect(error?.message).toBe('dial udp 255.255.255.255:53: connect: permission denied');
    }
  });

  it('tries the next upstream after a failure', async () => {
    const port = await freePort();
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . 127.0.0.1:${port} ${server.text} {\npolicy sequential\n}`);
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
  });

  it('keeps a thousand different questions under way at once', async () => {
    const held: (() => void)[] = [];
    const server = await rig.upstream(({ query, send }) => {
      const answers = [record(`${query.questions[0]?.name} 60 A 192.0.2.1`)];
      held.push(() => send(encodeMessage(replyTo(query, { answers }))));
    });
    const { run } = rig.forwarder(`forward . ${server.text}`);
    const waiting: Promise<Reply>[] = [];
    for (let i = 0; i < 1000; i++) {
      waiting.push(run(ask(`n${i}.example.org.`)));
      // A socket's receive buffer holds some 200 packets: more in one go would be lost on the way.
      if (i % 100 === 99) await until(() => held.length > i);
    }
    for (const answer of held) answer();
    const owners = (await Promise.all(waiting)).map(({ message }) => message?.answers[0]?.name);
    expect(owners).toEqual(waiting.map((_, i) => `n${i}.example.org.`));
  });
});

describe('equal questions at the same time', () => {
  async function gathering(queries: readonly Query[], lines = ''): Promise<FakeUpstream> {
    const server = await rig.upstream(({ query, send }) => {
      setTimeout(() => send(encodeMessage(replyTo(query, { answers: ONE }))), 20);
    });
    const { run } = rig.forwarder(`forward . ${server.text} {\n${lines}\n}`);
    const replies = await Promise.all(queries.map(run));
    replies.forEach((reply, i) => {
      expect(reply.message?.id).toBe(queries[i]?.message.id);
      expect(reply.message?.questions).toEqual(queries[i]?.message.questions);
    });
    return server;
  }

  it('share one upstream query, whatever their ids and letter case', async () => {
    const queries = Array.from({ length: 50 }, (_, id) =>
      ask(id % 2 ? 'example.org.' : 'EXAMPLE.org.', 'A', { id }),
    );
    expect((await gathering(queries)).asked).toHaveLength(1);
  });

  it.each<[string, Query]>([
    ['type', ask('example.org.', 'AAAA')],
    ['class', ask('example.org.', 'A', { class: 3 })],
    ['RD', ask('example.org.', 'A', { recursionDesired: false })],
    ['CD', ask('example.org.', 'A', { checkingDisabled: true })],
    ['DO', ask('example.org.', 'A', { dnssecOk: true })],
    ['size limit', ask('example.org.', 'A', { udpSize: 4096 })],
    ['transport', ask('example.org.', 'A', { transport: 'tcp' })],
  ])('do not share when they differ in %s', async (_case, other) => {
    expect((await gathering([ask('example.org.'), other])).asked).toHaveLength(2);
  });

  it('are asked anew once the answer has come', async () => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(`forward . ${server.text}`);
    await run(ask('example.org.'));
    await run(ask('example.org.'));
    expect(server.asked).toHaveLength(2);
  });

  it('are not shared when they are so long that remembering them would cost', async () => {
    const padded = () => {
      const query = ask('example.org.', 'A', { udpSize: 1232 });
      return { ...query, wire: new Uint8Array(513) };
    };
    expect((await gathering([padded(), padded()])).asked).toHaveLength(2);
  });

  it('are not shared with the probe of loop', async () => {
    const probe = () => ask('1.2.', 'HINFO');
    expect((await gathering([probe(), probe()])).asked).toHaveLength(2);
  });
});

describe('which queries are taken', () => {
  it.each([
    ['a name under FROM', 'forward example.org UP', 'www.Example.org.', true],
    ['a name outside FROM', 'forward example.org UP', 'example.net.', false],
    ['a name under an exception', 'forward . UP {\nexcept internal\n}', 'db.internal.', false],
    ['FROM itself, though excepted', 'forward internal UP {\nexcept internal\n}', 'db.internal.', true],
    ['a reverse name under a CIDR', 'forward 10.0.0.0/8 UP', '1.0.0.10.in-addr.arpa.', true],
  ])('%s', async (_case, lines, qname, taken) => {
    const server = await rig.upstream(answering(ONE));
    const { run } = rig.forwarder(lines.replace('UP', server.text));
    const reply = await run(ask(qname));
    expect(reply.rcode).toBe(taken ? RCODE.NOERROR : RCODE.NXDOMAIN);
    expect(server.asked).toHaveLength(taken ? 1 : 0);
  });

  it('go to the first line that fits', async () => {
    const [inner, outer] = [await rig.upstream(answering(ONE)), await rig.upstream(answering(ONE))];
    const { run } = rig.forwarder(`forward internal ${inner.text}\nforward . ${outer.text}`);
    await run(ask('db.internal.'));
    await run(ask('example.org.'));
    expect([inner.asked.length, outer.asked.length]).toEqual([1, 1]);
  });

  it('go to the next line on the rcodes of next, and no further than the last line', async () => {
    const absent = { rcode: RCODE.NXDOMAIN };
    const [first, last] = [
      await rig.upstream(answering([], absent)),
      await rig.upstream(answering([], absent)),
    ];
    const { run } = rig.forwarder(
      `forward . ${first.text} {\nnext NXDOMAIN\n}\nforward . ${last.text} {\nnext NXDOMAIN\n}`,
      () => ({ rcode: RCODE.NOERROR }),
    );
    expect((await run(ask('example.org.'))).rcode).toBe(RCODE.NXDOMAIN);
    expect([first.asked.length, last.asked.length]).toEqual([1, 1]);
  });

  it('are passed over by failover, and answered by the last when all fail over', async () => {
    const refusing = await rig.upstream(answering([], { rcode: RCODE.REFUSED }));
    const good = await rig.upstream(answering(ONE));
    const options = '{\npolicy sequential\nfailover REFUSED\n}';
    const mixed = rig.forwarder(`forward . ${refusing.text} ${good.text} ${options}`);
    expect(addressOf(await mixed.run(ask('example.org.')))).toBe('192.0.2.1');
    const alone = rig.forwarder(`forward . ${refusing.text} ${options}`);
    expect((await alone.run(ask('example.org.'))).rcode).toBe(RCODE.REFUSED);
  });

  it('are refused beyond max_concurrent, and counted', async () => {
    const server = await rig.upstream(silent);
    const { host, run } = rig.forwarder(`forward . ${server.text} {\nmax_concurrent 2\nmax_fails 0\n}`);
    const waiting = [run(ask('a.example.')), run(ask('b.example.'))];
    const { rcode, error } = await run(ask('c.example.'));
    expect(rcode).toBe(RCODE.REFUSED);
    expect(error?.message).toBe('concurrent queries exceeded maximum 2');
    expect(await host.metric('coredns_forward_max_concurrent_rejects_total')).toBe(1);
    await until(() => server.asked.length === 2);
    host.clock.pass(2000);
    await until(() => server.asked.length === 4);
    host.clock.pass(2000);
    await Promise.all(waiting);
  });
});
