import { describe, expect, it } from 'vitest';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Query, Reply } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

type Upstream = 'answer' | 'nxdomain' | 'servfail' | 'silent';

/** A cache over an upstream that a test may change its mind about. */
function stale(option: string, more = '') {
  const host = fakeHost();
  const state = { upstream: 'answer' as Upstream, asked: 0, release: (): void => undefined };
  const handler: Handler | undefined = setUp(setup, `cache 30 {\nserve_stale ${option}\n${more}\n}`, {
    host,
  }).plugin?.((query) => {
    state.asked++;
    if (state.upstream !== 'silent') return replyOf(query, state.upstream);
    return new Promise((resolve) => {
      state.release = () => resolve(replyOf(query, 'answer'));
    });
  });
  if (handler === undefined) throw new Error('no plugin');
  /** `RCODE ttl`, with the queries that went upstream for it. */
  const look = async (): Promise<string> => {
    const before = state.asked;
    const { message, rcode } = await handler(ask('a.example.'));
    await new Promise(setImmediate);
    return `${rcode} ${message?.answers[0]?.ttlSeconds ?? '-'} +${state.asked - before}`;
  };
  return { host, state, handler, look };
}

function replyOf({ message, question }: Query, upstream: Upstream): Reply {
  switch (upstream) {
    case 'nxdomain': {
      const authorities = [record('example. 60 SOA')];
      return { rcode: 3, message: replyTo(message, { rcode: 3, authorities }) };
    }
    case 'servfail':
      return { rcode: 2, message: replyTo(message, { rcode: 2 }) };
    default:
      return {
        rcode: 0,
        message: replyTo(message, { answers: [record(`${question.name} 300 A 192.0.2.1`)] }),
      };
  }
}

describe('serve_stale immediate', () => {
  it('shows the TTL it is told, and does not ask again before the recheck after a failure', async () => {
    const { host, look, state } = stale('1h immediate 25s 10s');
    expect(await look()).toBe('0 30 +1');
    host.clock.pass(31_000);
    state.upstream = 'servfail';
    expect(await look()).toBe('0 25 +1');
    expect(await look()).toBe('0 25 +0');
    host.clock.pass(10_000);
    expect(await look()).toBe('0 25 +1');
    state.upstream = 'answer';
    host.clock.pass(10_000);
    expect(await look()).toBe('0 25 +1');
    expect(await look()).toBe('0 30 +0');
  });
});

describe('serve_stale verify', () => {
  it('waits no longer than it is told, and keeps what comes late', async () => {
    const { host, handler, look, state } = stale('1h verify 100ms');
    await look();
    host.clock.pass(31_000);
    state.upstream = 'silent';
    const reply = Promise.resolve(handler(ask('a.example.')));
    host.clock.pass(100);
    expect((await reply).message?.answers[0]?.ttlSeconds).toBe(0);
    state.release();
    await new Promise(setImmediate);
    expect(await look()).toBe('0 30 +0');
  });

  it('with a recheck gives what it has while another client waits for the upstream', async () => {
    const { host, handler, look, state } = stale('1h verify 1s 5s 10s');
    await look();
    host.clock.pass(31_000);
    state.upstream = 'silent';
    const first = Promise.resolve(handler(ask('a.example.')));
    expect(await look()).toBe('0 5 +0');
    state.release();
    expect((await first).message?.answers[0]?.ttlSeconds).toBe(30);
    expect(host.clock.pending).toBe(0);
  });
});

describe('serve_stale_policy prefer_positive', () => {
  it.each(['immediate', 'verify'])('holds on to an answer that the upstream denies: %s', async (mode) => {
    const { host, look, state } = stale(`1h ${mode}`, 'serve_stale_policy prefer_positive');
    await look();
    host.clock.pass(31_000);
    state.upstream = 'nxdomain';
    expect(await look()).toBe('0 0 +1');
    expect(await look()).toMatch(/^0 0 /);
    host.clock.pass(3_600_000);
    expect(await look()).toMatch(/^3 - /);
  });

  it('without it, a denial is believed', async () => {
    const { host, look, state } = stale('1h verify');
    await look();
    host.clock.pass(31_000);
    state.upstream = 'nxdomain';
    expect(await look()).toBe('3 - +1');
    expect(await look()).toBe('3 - +0');
  });

  it('lets the answer that comes back take the place of the denial', async () => {
    const { host, look, state } = stale('1h immediate', 'serve_stale_policy prefer_positive');
    await look();
    host.clock.pass(31_000);
    state.upstream = 'nxdomain';
    await look();
    state.upstream = 'answer';
    await look();
    expect(await look()).toBe('0 30 +0');
  });
});
