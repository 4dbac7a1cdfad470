/**
 * Answers of the answer map must not be told from the server's own, in reply, metrics or log, and must go when the cache's
 * go. A real server fills a shelf in files; a reader that knows nothing but the layout answers from it as the kernel does.
 * So long because all of it needs that server and that reader.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeAnswerLog } from '../../answermap/answer-abi.gen.ts';
import { ShelfReader } from '../../answermap/testing/shelf-reader.ts';
import { decodeMessage } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import { ipMappedBytes } from '../../net/ip.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import { type AskOptions, ask, ip, record } from '../../plugins/fake-query.ts';
import { FakeUpstream } from '../../plugins/forward/testing/fake-upstream.ts';
import { clusterSnapshot } from '../../plugins/kubernetes/cases/cluster-fixture.ts';
import { adminCommands } from '../admin-commands.ts';
import { DnsServer } from '../dns-server.ts';
import { corefile, type FakeEnvironment, fakeEnvironment } from '../fake-environment.ts';
import type { KernelAnswers } from './kernel-answers.ts';
import { ShelfFiles } from './testing/shelf-files.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

const PATIENTLY = { timeout: 10_000 };

interface Asked extends AskOptions {
  readonly qtype?: string;
  /** Of the client's cookie, in bytes. */
  readonly cookie?: number;
}

function queryOf(qname: string, { cookie, ...options }: Asked = {}): Uint8Array {
  const { message } = ask(qname, options.qtype ?? 'A', options);
  if (cookie === undefined) return encodeMessage(message);
  const edns = { version: 0, udpSize: 1232, dnssecOk: false, ...message.edns };
  const data = Uint8Array.from({ length: cookie }, (_, i) => i);
  return encodeMessage({ ...message, edns: { ...edns, options: [{ code: 10, data }] } });
}

async function dig(port: number, bytes: Uint8Array): Promise<Uint8Array> {
  const socket = createSocket('udp4');
  try {
    socket.send(bytes, port, '127.0.0.1');
    const [reply] = await once(socket, 'message', { signal: AbortSignal.timeout(PATIENTLY.timeout) });
    return reply;
  } finally {
    socket.close();
  }
}

function decoded(bytes: Uint8Array | undefined): Message {
  const message = decodeMessage(bytes ?? new Uint8Array(0));
  if (!message.ok) throw new Error(message.code);
  return message.value;
}

async function upstream(): Promise<number> {
  const fake = await FakeUpstream.start(({ query, send }) => {
    const name = query.questions[0]?.name ?? '';
    const [rcode, sections] = name.startsWith('none')
      ? [3, { authorities: [record('test. 300 SOA')] }]
      : name.startsWith('fail')
        ? [2, {}]
        : [0, { answers: [1, 2, 3].map((i) => record(`${name} 300 A 192.0.2.${i}`)) }];
    send(encodeMessage(replyTo(query, { rcode, recursionAvailable: true, ...sections })));
  });
  open.push(fake);
  return fake.port;
}

interface Started {
  readonly environment: FakeEnvironment;
  readonly server: DnsServer;
  readonly kernel: KernelAnswers;
  readonly shelf: ShelfFiles;
  readonly port: number;
  apply(text: string): Promise<void>;
  /** As the kernel would: the reply, or nothing when the query goes on to the server. */
  answer(query: Uint8Array, view?: number): Uint8Array | undefined;
  /** Asks the server until the kernel has the answer as well. */
  learn(query: Uint8Array): Promise<void>;
}

/** `{upstream}` in the text stands for the port of a server that knows every name. */
async function start(text: string, { shelf = newShelf() } = {}): Promise<Started> {
  const environment = fakeEnvironment();
  const server = new DnsServer(environment);
  open.push({ close: () => server.closeListeners() });
  const upstreamPort = await upstream();
  const apply = (words: string) =>
    server.apply(corefile(words.replaceAll('{upstream}', String(upstreamPort))));
  await apply(text);
  const kernel = await server.openKernelAnswers();
  if (kernel === undefined) throw new Error('nothing can be answered without a chain');
  kernel.useGrant(shelf.grant, shelf.fds);
  const port = server.addresses[0]?.port ?? 0;
  const answer = (query: Uint8Array, view = 1) => answerFrom(shelf, query, view);
  const learn = async (query: Uint8Array) => {
    await dig(port, query);
    await expect.poll(() => shelf.entries, PATIENTLY).toBeGreaterThan(0);
  };
  return { environment, server, kernel, shelf, port, apply, answer, learn };
}

function newShelf(number = 1): ShelfFiles {
  const files = new ShelfFiles(number);
  open.push(files);
  return files;
}

function answerFrom({ memory }: ShelfFiles, query: Uint8Array, view: number): Uint8Array | undefined {
  return new ShelfReader(memory).answer(query, view, process.hrtime.bigint())?.bytes;
}

/** What the kernel writes into the shelf's log of an answer. */
function logged(query: Uint8Array, reply: Uint8Array, view = 1): Uint8Array {
  const head = encodeAnswerLog({
    timeNs: process.hrtime.bigint(),
    source: ipMappedBytes(ip('127.0.0.1')),
    destination: ipMappedBytes(ip('10.96.0.10')),
    sourcePort: 40_000,
    destinationPort: 53,
    view,
    queryLength: query.length,
    replyLength: reply.length,
    messages: new Uint8Array(0),
  });
  return Buffer.concat([head, query, reply]);
}

const BLOCK = (directives = '') =>
  `.:0 {\n bind 127.0.0.1\n errors\n cache\n loadbalance\n ${directives}\n forward . 127.0.0.1:{upstream}\n}`;

const QUESTIONS: readonly [string, Asked][] = [
  ['a.test.', {}],
  ['A.tEst.', { id: 99 }],
  ['a.test.', { udpSize: 1232 }],
  ['a.test.', { udpSize: 0 }],
  ['a.test.', { cookie: 8 }],
  ['a.test.', { cookie: 40, udpSize: 4096 }],
  ['a.test.', { dnssecOk: true, udpSize: 4096 }],
  ['a.test.', { recursionDesired: false }],
  ['a.test.', { checkingDisabled: true }],
  ['a.test.', { authenticData: true }],
  ['none.test.', {}],
  ['none.test.', { udpSize: 512, id: 7 }],
  ['b.test.', { qtype: 'AAAA' }],
  ['b.test.', { qtype: 'TYPE65400' }],
];

/** Without the order of addresses, which is random, and with a TTL that may be a second older. */
function comparable(message: Message): unknown {
  const plain = (records: Message['answers']) =>
    records.map((rr) => JSON.stringify({ ...rr, ttlSeconds: Math.ceil(rr.ttlSeconds / 10) }));
  const { answers, authorities } = message;
  return { ...message, answers: plain(answers).toSorted(), authorities: plain(authorities) };
}

/** Times are nobody's to foresee, but how many there are. */
async function figures({ metrics }: FakeEnvironment): Promise<string[]> {
  const text = await metrics.text();
  const lines = text.split('\n').filter((line) => /^coredns_(dns|cache)_/.test(line));
  return lines.filter((line) => !/duration_seconds_(bucket|sum)/.test(line));
}

async function figure({ metrics }: FakeEnvironment, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metrics.text())?.[1]);
}

describe('answers of the kernel', () => {
  it('are the same as the server’s', async () => {
    const { port, answer, learn } = await start(BLOCK());
    for (const [qname, options] of QUESTIONS) {
      const query = queryOf(qname, options);
      await learn(query);
      const [expected, given] = [await dig(port, query), answer(query)];
      expect(given?.length).toBe(expected.length);
      expect(comparable(decoded(given))).toEqual(comparable(decoded(expected)));
    }
  });

  it('count in the metrics of the chain, each once', async () => {
    const text = BLOCK('prometheus 127.0.0.1:0');
    const [own, other] = [await start(text), await start(text)];
    for (const [qname, options] of QUESTIONS) {
      for (const each of [own, other]) await each.learn(queryOf(qname, options));
    }
    for (const [qname, options] of QUESTIONS) {
      await dig(own.port, queryOf(qname, options));
      expect(other.answer(queryOf(qname, options))).toBeDefined();
    }
    expect(await figures(other.environment)).toEqual(await figures(own.environment));
    expect(await figure(other.environment, 'zerohop_kernel_answers_total')).toBe(QUESTIONS.length);
    expect(await figure(other.environment, 'zerohop_kernel_answers_entries')).toBe(other.shelf.entries);
    // Asked again, nothing is told twice.
    expect(await figures(other.environment)).toEqual(await figures(own.environment));
  });

  it('are told by `cache stats`, where there are any', async () => {
    const { environment, kernel, learn, answer, server } = await start(BLOCK());
    const logLevel = { get: () => 'info' as const, set: () => undefined };
    const commands = adminCommands({ ...environment, logLevel, current: () => server.current });
    const stats = async () => {
      const lines = await commands['cache stats']?.({});
      return Array.isArray(lines) ? lines : [];
    };
    await learn(queryOf('a.test.'));
    answer(queryOf('a.test.'));
    expect((await stats()).at(-1)).toBe('kernel entries 1 of 144 answers 1');
    kernel.useGrant(undefined, []);
    expect((await stats()).join('\n')).not.toContain('kernel');
  });

  it('stand in the query log as the server’s do, but for the time they took', async () => {
    const format =
      '"{remote} {local} {proto} {type} {class} {name} {size} {>do} {>bufsize} {rcode} {>rflags} {rsize} {>id}"';
    const { environment, port, shelf, learn } = await start(BLOCK(`log test ${format}`));
    for (const [qname, options] of QUESTIONS) await learn(queryOf(qname, options));
    environment.lines.length = 0;
    for (const [qname, options] of QUESTIONS) await dig(port, queryOf(qname, options));
    const expected = environment.lines.splice(0);
    expect(expected).toHaveLength(QUESTIONS.length);
    const reader = new ShelfReader(shelf.memory);
    for (const [qname, options] of QUESTIONS) {
      const query = queryOf(qname, options);
      const reply = reader.answer(query, 1, process.hrtime.bigint());
      expect(reply?.isLogged).toBe(true);
      shelf.log.put(logged(query, reply?.bytes ?? new Uint8Array(0)));
    }
    await expect.poll(() => environment.lines.length, PATIENTLY).toBe(QUESTIONS.length);
    // {local} is what the listener is bound to, at whatever address the client asked.
    const own = expected.map((line) => line.replaceAll(String(port), 'PORT'));
    expect(environment.lines.map((line) => line.replaceAll(String(port), 'PORT'))).toEqual(own);
  });

  it('are logged by the zone that is longest, and with no log by none', async () => {
    const block = (zone: string, log: string) =>
      `${zone}:0 {\n bind 127.0.0.1\n cache\n ${log}\n forward . 127.0.0.1:{upstream}\n}\n`;
    const text =
      block('.', 'log . "root {name}"') + block('quiet.test', '') + block('a.test', 'log . "a {name}"');
    const { environment, shelf } = await start(text);
    for (const qname of ['b.a.test.', 'quiet.test.', 'x.test.']) {
      const query = queryOf(qname);
      shelf.log.put(logged(query, encodeMessage(replyTo(ask(qname).message, { rcode: 0 }))));
    }
    await expect.poll(() => environment.lines.length, PATIENTLY).toBe(2);
    expect(environment.lines).toEqual(['[INFO] a b.a.test.', '[INFO] root x.test.']);
  });

  it('are those of the listener that is asked', async () => {
    const block = (address: string, host: string) =>
      `test:0 {\n bind 127.0.0.1\n cache\n hosts {\n  ${host} a.test\n }\n}\n`.replace('127.0.0.1', address);
    const { server, shelf } = await start(block('127.0.0.1', '192.0.2.1') + block('127.0.0.2', '192.0.2.2'));
    const query = queryOf('a.test.');
    for (const { address, port } of server.addresses) {
      const socket = createSocket('udp4');
      socket.send(query, port, address);
      await once(socket, 'message');
      socket.close();
    }
    await expect.poll(() => shelf.entries, PATIENTLY).toBe(2);
    const data = [1, 2, 3].map((view) => {
      const reply = answerFrom(shelf, query, view);
      return reply && [...(decoded(reply).answers[0]?.rdata ?? [])];
    });
    expect(data).toEqual([[192, 0, 2, 1], [192, 0, 2, 2], undefined]);
    expect(server.views.map(({ address, view }) => [address, view])).toEqual([
      ['127.0.0.1', 1],
      ['127.0.0.2', 2],
    ]);
  });

  it.each([
    ['of errors', BLOCK(), 'fail.test.'],
    [
      'that depend on who asks',
      BLOCK('template IN TXT test {\n answer "{{ .Name }} 60 IN TXT {{ .Remote }}"\n }'),
      'a.test.',
    ],
    ['behind a view', BLOCK('view all {\n expr true\n }'), 'a.test.'],
    ['behind an acl', BLOCK('acl {\n block net 10.0.0.0/8\n }'), 'a.test.'],
  ])('are none %s', async (_, text, qname) => {
    const { port, shelf, kernel } = await start(text);
    for (let i = 0; i < 3; i++) await dig(port, queryOf(qname));
    kernel.tell();
    expect(shelf.entries).toBe(0);
  });
});

describe('what is in the shelf goes', () => {
  const query = queryOf('a.test.');

  it('with `cache flush`, in the same turn', async () => {
    const { environment, server, answer, learn } = await start(BLOCK());
    await learn(query);
    expect(answer(query)).toBeDefined();
    const logLevel = { get: () => 'info' as const, set: () => undefined };
    const commands = adminCommands({ ...environment, logLevel, current: () => server.current });
    const said = commands['cache flush']?.({ name: 'test', below: true });
    expect(answer(query)).toBeUndefined();
    expect(await said).toEqual(['flushed 1 entry']);
  });

  it('with the records of a cluster that change, in the same turn, and no other', async () => {
    const services = (address: string) =>
      clusterSnapshot({
        namespaces: ['default'],
        services: [
          { ns: 'default', name: 'web', ips: [address], ports: ['http 80/TCP'] },
          { ns: 'default', name: 'db', ips: ['10.96.0.99'], ports: ['sql 5432/TCP'] },
        ],
      });
    const text = `cluster.local:0 {
 bind 127.0.0.1
 cache
 kubernetes cluster.local {
  endpoint http://127.0.0.1:1
  startup_timeout 0
 }
}`;
    const { environment, port, answer, learn, shelf } = await start(text);
    environment.cluster.set(services('10.96.0.1'));
    const [web, db] = ['web', 'db'].map((each) => queryOf(`${each}.default.svc.cluster.local.`));
    if (web === undefined || db === undefined) throw new Error('no queries');
    await learn(web);
    await learn(db);
    expect(shelf.entries).toBe(2);
    environment.cluster.set(services('10.96.0.2'));
    expect([answer(web), answer(db)].map((reply) => reply !== undefined)).toEqual([false, true]);
    await dig(port, web);
    expect([...(decoded(answer(web)).answers[0]?.rdata ?? [])]).toEqual([10, 96, 0, 2]);
  });

  it('with the configuration that allowed it, before the next one has been reported', async () => {
    const { answer, learn, apply, shelf, port } = await start(BLOCK());
    await learn(query);
    await apply(BLOCK('acl {\n block net 10.0.0.0/8\n }'));
    expect(shelf.entries).toBe(0);
    await dig(port, query);
    expect(answer(query)).toBeUndefined();
    await apply(BLOCK());
    await learn(query);
    expect(answer(query)).toBeDefined();
  });

  it('with the shelf: the next one is filled with what the cache has', async () => {
    const { kernel, answer, learn, shelf } = await start(BLOCK());
    await learn(query);
    const next = newShelf(2);
    kernel.useGrant(next.grant, next.fds);
    expect([shelf.entries, answer(query)]).toEqual([0, undefined]);
    await expect.poll(() => answerFrom(next, query, 1), PATIENTLY).toBeDefined();
    kernel.useGrant(undefined, []);
    expect(next.entries).toBe(0);
  });

  it('not with an agent that grants the same shelf again', async () => {
    const { kernel, answer, learn, shelf, environment } = await start(BLOCK());
    await learn(query);
    const places = [...shelf.memory.places];
    answer(query);
    kernel.useGrant(shelf.grant, shelf.fds);
    expect([...shelf.memory.places]).toEqual(places);
    answer(query);
    expect(await figure(environment, 'zerohop_kernel_answers_total')).toBe(2);
  });

  it('not with the server: what has not expired is answered while it restarts', async () => {
    const { server, answer, learn, shelf } = await start(BLOCK());
    await learn(query);
    await server.shutDownPlugins();
    expect(answer(query)).toBeDefined();
    await server.closeListeners();
    expect(answer(query)).toBeDefined();
    // A successor that has the shelf by now is not disturbed.
    const places = [...shelf.memory.places];
    await new Promise((resolve) => setImmediate(resolve));
    expect([...shelf.memory.places]).toEqual(places);
  });

  it('with the server where the answers are logged, and what was answered before is', async () => {
    const { server, answer, learn, environment, shelf } = await start(BLOCK('log'));
    await learn(query);
    const reply = answer(query);
    environment.lines.length = 0;
    await server.shutDownPlugins();
    expect(answer(query)).toBeUndefined();
    shelf.log.put(logged(query, reply ?? new Uint8Array(0)));
    await server.closeListeners();
    expect(environment.lines).toHaveLength(1);
  });

  it('with the server in those zones alone whose answers are logged', async () => {
    const zone = (name: string, directives: string) =>
      BLOCK(directives).replace('.:0', `${name}:${listenAt}`);
    const listenAt = await freePort();
    const { server, answer, learn } = await start(`${zone('test', 'log')}\n${zone('example', '')}`);
    for (const name of ['a.test.', 'none.test.', 'a.example.']) await learn(queryOf(name));
    await server.shutDownPlugins();
    expect(['a.test.', 'none.test.'].map((name) => answer(queryOf(name)))).toEqual([undefined, undefined]);
    expect(answer(queryOf('a.example.'))).toBeDefined();
  });
});

describe('a place that comes to another listener with a reload', () => {
  const query = queryOf('a.test.');
  const wide = (port: number) => `.:${port} {\n cache\n hosts {\n  192.0.2.1 a.test\n }\n}\n`;
  const closed = (port: number) =>
    `test:${port} {\n bind 127.0.0.5\n cache\n acl {\n  block\n }\n hosts {\n  192.0.2.5 a.test\n }\n}\n`;

  it('gets nothing from the one before, whatever the agent has heard', async () => {
    const listenAt = await freePort();
    const { server, apply, answer } = await start(wide(listenAt));
    // Some are still read from the socket before.
    const learnAgain = () =>
      expect.poll(() => dig(listenAt, query).then(() => answer(query, server.views[0]?.view)), PATIENTLY);
    await learnAgain().toBeDefined();
    const [before = { view: 0 }] = server.views;
    expect(answer(query, before.view)).toBeDefined();
    await apply(wide(listenAt) + closed(listenAt));
    await learnAgain().toBeDefined();
    const [everywhere = { view: 0 }, own = { view: 0 }] = server.views;
    // The kernel's row of 127.0.0.5 still says this.
    expect(answer(query, before.view)).toBeUndefined();
    expect(answer(query, own.view)).toBeUndefined();
    // And the other way round: its own was said of it, and the wildcard has it again.
    await apply(wide(listenAt));
    await learnAgain().toBeDefined();
    expect([everywhere.view, own.view].map((view) => answer(query, view))).toEqual([undefined, undefined]);
  });
});
