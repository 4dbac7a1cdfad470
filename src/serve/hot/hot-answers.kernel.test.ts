/**
 * Answers that no chain gives must not be told from those that a chain gives, in reply, metrics or log: the same questions
 * are put to three servers, one with packet threads, one whose main thread takes the short way, one that only has chains.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import { type AskOptions, ask, record } from '../../plugins/fake-query.ts';
import { FakeUpstream } from '../../plugins/forward/testing/fake-upstream.ts';
import { RECEIVE_BUFFER_BYTES } from '../../server/udp.ts';
import { DnsServer } from '../dns-server.ts';
import { corefile, type FakeEnvironment, fakeEnvironment } from '../fake-environment.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

/** A packet thread strips its sources of types before it reads its first packet. */
const PATIENTLY = { timeout: 15_000 };

type Way = 'packet threads' | 'the short way on the main thread' | 'chains alone';
const WAYS: readonly Way[] = ['packet threads', 'the short way on the main thread', 'chains alone'];

function environmentFor(way: Way): FakeEnvironment {
  const environment = fakeEnvironment();
  const { answers } = environment;
  const seatless = {
    shared: answers.shared,
    budgetBytes: answers.budgetBytes,
    usedBytes: answers.usedBytes,
    open: answers.open.bind(answers),
    replaceRoutes: answers.replaceRoutes.bind(answers),
    openSeat: () => undefined,
    mirror: answers.mirror.bind(answers),
  };
  return {
    ...environment,
    udp: { threads: way === 'packet threads' ? 1 : 0, receiveBufferBytes: RECEIVE_BUFFER_BYTES },
    answers: way === 'chains alone' ? seatless : answers,
  };
}

async function upstream(): Promise<number> {
  const fake = await FakeUpstream.start(({ query, send }) => {
    const name = query.questions[0]?.name ?? '';
    const [rcode, sections] = name.startsWith('none')
      ? [3, { authorities: [record('test. 300 SOA')] }]
      : [0, { answers: [1, 2, 3].map((i) => record(`${name} 300 A 192.0.2.${i}`)) }];
    send(encodeMessage(replyTo(query, { rcode, recursionAvailable: true, ...sections })));
  });
  open.push(fake);
  return fake.port;
}

async function start(way: Way, text: (upstreamPort: number) => string) {
  const environment = environmentFor(way);
  const server = new DnsServer(environment);
  open.push({ close: () => server.closeListeners() });
  const port = await upstream();
  const apply = (words: (upstreamPort: number) => string) => server.apply(corefile(words(port)));
  await apply(text);
  return { environment, server, apply, port: server.addresses[0]?.port ?? 0 };
}

async function dig(port: number, qname: string, options: AskOptions & { qtype?: string } = {}) {
  const socket = createSocket('udp4');
  try {
    socket.send(encodeMessage(ask(qname, options.qtype ?? 'A', options).message), port, '127.0.0.1');
    const [bytes] = await once(socket, 'message', { signal: AbortSignal.timeout(PATIENTLY.timeout) });
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) throw new Error(decoded.code);
    return decoded.value;
  } finally {
    socket.close();
  }
}

const BLOCK = (directives: string) => (port: number) =>
  `.:0 {\n bind 127.0.0.1\n errors\n cache\n loadbalance\n ${directives}\n forward . 127.0.0.1:${port}\n}`;

/** Each is asked until the cache has it, and then once more. */
const QUESTIONS: readonly [string, AskOptions & { qtype?: string }][] = [
  ['a.test.', {}],
  ['A.tEst.', { id: 99 }],
  ['a.test.', { udpSize: 1232 }],
  ['a.test.', { dnssecOk: true, udpSize: 4096 }],
  ['a.test.', { recursionDesired: false }],
  ['a.test.', { checkingDisabled: true }],
  ['none.test.', {}],
  ['none.test.', { udpSize: 512, id: 7 }],
  ['b.test.', { qtype: 'AAAA' }],
  ['b.test.', { qtype: 'TYPE65400' }],
];

/** Without the order of addresses, which is random, and with a TTL that may be some seconds older. */
function comparable(reply: Message): unknown {
  const rounded = (records: readonly ResourceRecord[]) =>
    records.map((rr) => ({ ...rr, ttlSeconds: Math.ceil(rr.ttlSeconds / 30) * 30 }));
  const answers = rounded(reply.answers).map((rr) => JSON.stringify(rr));
  return { ...reply, answers: answers.toSorted(), authorities: rounded(reply.authorities) };
}

async function askAll(port: number): Promise<unknown[]> {
  const replies: unknown[] = [];
  for (const [qname, options] of QUESTIONS) {
    await dig(port, qname, options);
    replies.push(comparable(await dig(port, qname, options)));
  }
  return replies;
}

const PRINTED = /^coredns_(dns|cache)_/;

/** Times are nobody's to foresee, and ports and the order of threads are the system's. */
async function figures(environment: FakeEnvironment): Promise<string[]> {
  const text = await environment.metrics.text();
  return text.split('\n').filter((line) => PRINTED.test(line) && !line.includes('duration'));
}

describe('answers that no chain gives', () => {
  it('are the same as those of a chain, and are counted as the same', async () => {
    const seen = [];
    for (const way of WAYS) {
      const { environment, port } = await start(way, BLOCK('prometheus 127.0.0.1:0'));
      const replies = await askAll(port);
      const shortcuts = await shortcutAnswers(environment);
      expect([way, shortcuts > QUESTIONS.length / 2]).toEqual([way, way !== 'chains alone']);
      seen.push({ replies, figures: await figures(environment) });
    }
    const [threads, short, chains] = seen;
    expect(threads?.replies).toEqual(chains?.replies);
    expect(short?.replies).toEqual(chains?.replies);
    expect(threads?.figures).toEqual(chains?.figures);
    expect(short?.figures).toEqual(chains?.figures);
    expect(chains?.figures.join('\n')).toContain('coredns_cache_hits_total');
  });

  it('are written to the query log as if they had gone through a chain', async () => {
    const seen = [];
    for (const way of WAYS) {
      const format =
        '"{proto} {type} {class} {name} {size} {>do} {>bufsize} {rcode} {>rflags} {rsize} {>id}"';
      const { environment, port } = await start(way, BLOCK(`log . ${format}`));
      await askAll(port);
      await expect.poll(() => environment.lines.length, PATIENTLY).toBe(2 * QUESTIONS.length);
      seen.push(environment.lines);
    }
    const [threads, short, chains] = seen;
    expect(threads?.toSorted()).toEqual(chains?.toSorted());
    expect(short?.toSorted()).toEqual(chains?.toSorted());
  });

  it.each(WAYS)('stop with the configuration that allowed them: %s', async (way) => {
    const { server, apply, port } = await start(way, BLOCK(''));
    await dig(port, 'a.test.');
    const before = await dig(port, 'a.test.');
    expect(before.rcode).toBe(0);
    // While clients keep asking.
    let isLoaded = true;
    const load = (async () => {
      while (isLoaded) await dig(port, 'a.test.');
    })();
    await apply(
      () => `.:0 {\n bind 127.0.0.1\n errors\n cache\n}\nother.test:0 {\n bind 127.0.0.1\n whoami\n}`,
    );
    const replies = [];
    for (let i = 0; i < 50; i++) replies.push((await dig(port, 'a.test.')).rcode);
    isLoaded = false;
    await load;
    expect(server.addresses[0]?.port).toBe(port);
    expect(new Set(replies)).toEqual(new Set([2]));
  });

  it('leave a listener with a view to its chains', async () => {
    const { environment, port } = await start('packet threads', BLOCK('view all {\n expr true\n }'));
    for (let i = 0; i < 3; i++) expect((await dig(port, 'a.test.')).rcode).toBe(0);
    expect(await shortcutAnswers(environment)).toBe(0);
  });
});

async function shortcutAnswers(environment: FakeEnvironment): Promise<number> {
  const text = await environment.metrics.text();
  return Number(/^zerohop_udp_shortcut_answers_total (\d+)$/m.exec(text)?.[1]);
}
