import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replyTo } from '../../dns/reply.ts';
import type { Handler } from '../../server/handler.ts';
import type { CacheControl, PluginInstance } from '../contract.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

function start(lines = 'cache 30') {
  const host = fakeHost();
  const instance: PluginInstance = setUp(setup, lines, { host });
  const state = { asked: 0 };
  const handler: Handler | undefined = instance.plugin?.(({ message, question }) => {
    state.asked++;
    if (question.name.startsWith('no')) {
      return {
        rcode: 3,
        message: replyTo(message, { rcode: 3, authorities: [record('example. 60 SOA')] }),
      };
    }
    const answers = [
      record(`${question.name} 300 CNAME b.example.`),
      record(`b.example. 300 ${question.type === 16 ? 'TXT x' : 'A 192.0.2.1'}`),
    ];
    return { rcode: 0, message: replyTo(message, { answers }) };
  });
  const control: CacheControl | undefined = instance.cacheControl;
  if (handler === undefined || control === undefined) throw new Error('no plugin');
  return { host, instance, handler, control, state };
}

/** Upstreams answer when they are told to. */
function startSlow() {
  const host = fakeHost();
  const instance = setUp(setup, 'cache 30', { host });
  const state = { asked: 0 };
  let waiting: (() => void)[] = [];
  const handler = instance.plugin?.(({ message, question }) => {
    state.asked++;
    const answers = [record(`${question.name} 300 A 192.0.2.1`)];
    return new Promise((resolve) => {
      waiting.push(() => resolve({ rcode: 0, message: replyTo(message, { answers }) }));
    });
  });
  const control = instance.cacheControl;
  if (handler === undefined || control === undefined) throw new Error('no plugin');
  const answer = () => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  return { host, handler, control, state, answer };
}

describe('cacheControl', () => {
  it('tells each entry in a line', async () => {
    const { host, handler, control } = start();
    await handler(ask('A.example.'));
    await handler(ask('a.example.', 'TXT', { dnssecOk: true, checkingDisabled: true }));
    host.clock.pass(7500);
    expect([...control.dump()]).toEqual([
      'a.example. A IN - success NOERROR 23 A.example. IN CNAME b.example. | b.example. IN A 192.0.2.1',
      'a.example. TXT IN do,cd success NOERROR 23 a.example. IN CNAME b.example. | b.example. IN TXT \\# 2 0178',
    ]);
    expect(control.lookup(name('a.EXAMPLE.'))).toHaveLength(2);
    expect(control.lookup(name('example.'))).toEqual([]);
  });

  it('prints no control character of a name', async () => {
    const { handler, control } = start();
    await handler(ask('a\\027[2Jb\\010.example.'));
    const [line = ''] = control.dump();
    expect(line).toContain('a\\027[2Jb\\010.example.');
    expect(/\p{Cc}/u.test(line)).toBe(false);
  });

  it('flushes a name, or all below it', async () => {
    const { handler, control } = start();
    for (const text of ['x.a.example.', 'a.example.', 'no.a.example.', 'ba.example.'])
      await handler(ask(text));
    expect(control.flush(name('A.example.'))).toBe(1);
    expect(control.flush(name('a.example.'), { below: true })).toBe(2);
    expect([...control.dump()]).toHaveLength(1);
  });

  it('hands entries over with their age, denials too', async () => {
    const { host, handler, control } = start();
    await handler(ask('a.example.'));
    await handler(ask('no.example.'));
    host.clock.pass(4000);
    const handed = [...control.exportEntries()];
    const successor = start();
    successor.host.clock.pass(99_000);
    expect(handed.map((entry) => successor.control.importEntry(entry))).toEqual([true, true]);
    expect([...successor.control.dump()]).toEqual([...control.dump()]);
    const { message } = await successor.handler(ask('a.example.'));
    expect(message?.answers[0]?.ttlSeconds).toBe(26);
    expect(successor.state.asked).toBe(0);
  });

  it('takes nothing that has expired or that it would not have kept itself', async () => {
    const { host, handler, control } = start();
    await handler(ask('a.example.'));
    const [entry = new Uint8Array(0)] = control.exportEntries();
    const disabled = start('cache {\ndisable success example\n}');
    expect(disabled.control.importEntry(entry)).toBe(false);
    expect(start('cache 30 other.example').control.importEntry(entry)).toBe(false);
    expect(start('cache 29').control.importEntry(entry)).toBe(false);
    const { control: behind } = start();
    expect(behind.importEntry(entry, (of, type) => of === 'a.example.' && type === 1)).toBe(false);
    expect(behind.importEntry(entry, (of, type) => of === 'a.example.' && type === 255)).toBe(true);
    host.clock.pass(31_000);
    expect([...control.exportEntries()]).toEqual([]);
  });

  it('survives whatever is handed to it', async () => {
    const { handler, control } = start();
    await handler(ask('a.example.'));
    const [entry = new Uint8Array(0)] = control.exportEntries();
    fc.assert(
      fc.property(
        fc.nat(entry.length),
        fc.array(fc.tuple(fc.nat(entry.length), fc.nat(255))),
        (length, edits) => {
          const bytes = entry.slice(0, length);
          for (const [at, value] of edits) bytes[at] = value;
          control.importEntry(bytes);
          for (const line of control.dump()) expect(/\p{Cc}/u.test(line)).toBe(false);
        },
      ),
    );
  });
});

describe('cache', () => {
  it('forgets names that have changed, and shows it', async () => {
    const { host, handler, state } = start();
    await handler(ask('x.a.example.'));
    await handler(ask('b.example.'));
    host.recordsChanged([name('a.example.')]);
    const entries = '{server="dns://:53",type="success",view="",zones="."}';
    expect(await host.metric(`coredns_cache_entries${entries}`)).toBe(1);
    await handler(ask('x.a.example.'));
    expect(state.asked).toBe(3);
  });

  it.each<{ name: string; forget: (of: ReturnType<typeof startSlow>) => void; asked: number }>([
    { name: 'records that changed', forget: ({ host }) => host.recordsChanged([name('example.')]), asked: 2 },
    { name: 'a flush', forget: ({ control }) => void control.flush(name('a.example.')), asked: 2 },
    {
      name: 'a flush of all below',
      forget: ({ control }) => void control.flush(name('.'), { below: true }),
      asked: 2,
    },
    {
      name: 'a change of very many names',
      forget: ({ host }) =>
        host.recordsChanged(Array.from({ length: 2000 }, (_, i) => name(`n${i}.example.net.`))),
      asked: 2,
    },
    {
      name: 'more changes than anybody remembers',
      forget: ({ host }) => {
        for (let i = 0; i < 1000; i++) host.recordsChanged([name('b.example.')]);
      },
      asked: 2,
    },
    {
      name: 'changes of other names alone',
      forget: ({ host }) => {
        for (let i = 0; i < 20; i++) host.recordsChanged([name('b.example.'), name('x.a.example.')]);
      },
      asked: 1,
    },
  ])('an answer on its way during $name: is asked for $asked times', async ({ forget, asked }) => {
    const slow = startSlow();
    const first = slow.handler(ask('a.example.'));
    forget(slow);
    slow.answer();
    expect((await first).rcode).toBe(0);
    const second = slow.handler(ask('a.example.'));
    slow.answer();
    await second;
    expect(slow.state.asked).toBe(asked);
  });

  it('counts what packet threads answered', async () => {
    const { host, instance } = start();
    const { replay } = instance;
    if (replay?.does !== 'keep') throw new Error('keeps nothing');
    replay.add('dns://:53', {
      transport: 'udp',
      requests: [],
      rcodes: [],
      doRequests: 0,
      requestSizes: [],
      requestBytes: 0,
      responseSizes: [],
      responseBytes: 0,
      durations: [],
      durationSeconds: 0,
      successHits: 5,
      denialHits: 2,
    });
    const labels = (type: string) => `{server="dns://:53",type="${type}",view="",zones="."}`;
    expect(await host.metric(`coredns_cache_hits_total${labels('success')}`)).toBe(5);
    expect(await host.metric(`coredns_cache_hits_total${labels('denial')}`)).toBe(2);
    expect(await host.metric('coredns_cache_requests_total{server="dns://:53",view="",zones="."}')).toBe(7);
  });

  it('gives its memory back when a reload replaces it', async () => {
    const { host, instance, handler } = start();
    for (let i = 0; i < 500; i++) await handler(ask(`n${i}.example.`));
    const used = host.answers.usedBytes;
    await instance.onShutdown?.();
    const successor = setUp(setup, 'cache 30', { host }).plugin?.(({ message, question }) => ({
      rcode: 0,
      message: replyTo(message, { answers: [record(`${question.name} 300 A 192.0.2.1`)] }),
    }));
    for (let i = 0; i < 500; i++) await successor?.(ask(`m${i}.example.`));
    expect(host.answers.usedBytes).toBeLessThan(1.2 * used);
  });
});
