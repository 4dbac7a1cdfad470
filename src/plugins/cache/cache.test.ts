import { describe, expect, it } from 'vitest';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Query, Reply } from '../../server/handler.ts';
import { type FakeHost, fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

interface Cached {
  readonly host: FakeHost;
  readonly asked: Query[];
  readonly handler: Handler;
}

/** A cache over an upstream that answers each name with an A record of 300 s, or as told. */
function cached(lines: string, upstream?: (query: Query) => Reply | Promise<Reply>): Cached {
  const host = fakeHost();
  const asked: Query[] = [];
  const handler = setUp(setup, lines, { host }).plugin?.((query) => {
    asked.push(query);
    return upstream === undefined ? addressOf(query) : upstream(query);
  });
  if (handler === undefined) throw new Error('no plugin');
  return { host, asked, handler };
}

function addressOf(query: Query): Reply {
  const answers = [record(`${query.question.name} 300 A 192.0.2.1`)];
  return { rcode: 0, message: replyTo(query.message, { answers }) };
}

const labels = '{server="dns://:53",type="success",view="",zones="."}';

describe('cache', () => {
  it('answers a hit without a promise, even when the answer came by one', async () => {
    const { handler } = cached('cache', async (query) => addressOf(query));
    await handler(ask('example.org.'));
    expect(handler(ask('example.org.'))).not.toBeInstanceOf(Promise);
  });

  it('gives each client its own id, RD, CD and spelling', async () => {
    const { handler } = cached('cache');
    await handler(ask('example.org.', 'A', { id: 1 }));
    const { message } = await handler(ask('EXAMPLE.org.', 'A', { id: 2, recursionDesired: false }));
    expect(message).toMatchObject({ id: 2, flags: { recursionDesired: false, response: true } });
    expect(message?.questions[0]?.name).toBe('EXAMPLE.org.');
  });

  it('asks behind it with AD set, so that one answer serves all', async () => {
    const { asked, handler } = cached('cache');
    await handler(ask('example.org.'));
    expect(asked[0]?.message.flags.authenticData).toBe(true);
  });

  it('keeps EDNS between neighbours: an OPT record is never remembered', async () => {
    const edns = {
      version: 0,
      udpSize: 4096,
      dnssecOk: false,
      options: [{ code: 10, data: new Uint8Array(8) }],
    };
    const { handler } = cached('cache', (query) => ({ rcode: 0, message: replyTo(query.message, { edns }) }));
    await handler(ask('example.org.', 'A', { udpSize: 1232 }));
    expect((await handler(ask('example.org.', 'A', { udpSize: 1232 }))).message?.edns).toBeUndefined();
  });

  it('never changes a reply it was given', async () => {
    const reply = addressOf(ask('example.org.'));
    const before = structuredClone(reply);
    const { handler } = cached('cache 30', () => reply);
    await handler(ask('example.org.'));
    await handler(ask('example.org.'));
    expect(reply).toEqual(before);
  });

  it('holds no more answers than it has room for, and counts those that had to go', async () => {
    const { host, handler } = cached('cache {\nsuccess 1024\n}');
    for (let i = 0; i < 3000; i++) await handler(ask(`n${i}.example.`));
    expect(await host.metric(`coredns_cache_entries${labels}`)).toBe(1024);
    expect(await host.metric(`coredns_cache_evictions_total${labels}`)).toBe(3000 - 1024);
  });

  it('does not grow with the size of what upstreams send', async () => {
    const text = 'x'.repeat(60_000);
    const { host, handler } = cached('cache {\nsuccess 1024\n}', (query) => {
      const answers = [record(`${query.question.name} 300 TXT ${text}`)];
      return { rcode: 0, message: replyTo(query.message, { answers }) };
    });
    for (let i = 0; i < 50; i++) await handler(ask(`n${i}.example.`, 'TXT'));
    expect(await host.metric(`coredns_cache_entries${labels}`)).toBeLessThanOrEqual(1024 / 58);
  });

  it('leaves zone transfers and notifications to those behind it', async () => {
    const { asked, handler } = cached('cache');
    const notify = ask('example.org.', 'SOA');
    const notification: Query = { ...notify, message: { ...notify.message, opcode: 4 } };
    for (const query of [ask('example.org.', 'AXFR'), notification]) {
      await handler(query);
      await handler(query);
    }
    expect(asked).toHaveLength(4);
  });

  it('refreshes a stale answer once, however many ask for it, and survives a handler that throws', async () => {
    let fails = false;
    const { asked, handler, host } = cached('cache 30 {\nserve_stale 1h\n}', async (query) => {
      if (fails) throw new Error('broken');
      return addressOf(query);
    });
    await handler(ask('example.org.'));
    fails = true;
    host.clock.pass(31_000);
    const replies = await Promise.all(Array.from({ length: 20 }, () => handler(ask('example.org.'))));
    for (const { message } of replies) expect(message?.answers[0]?.ttlSeconds).toBe(0);
    expect(asked).toHaveLength(2);
    await new Promise(setImmediate);
    expect(host.lines.join()).toContain('Cannot refresh example.org.: broken');
  });
});
