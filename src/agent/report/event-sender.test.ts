import { describe, expect, it } from 'vitest';
import { KubeAnswerError } from '../../kube/answer-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type JsonRecord, recordOf } from '../../kube/json-fields.ts';
import { createManualClock } from '../../kube/testing/manual-clock.ts';
import { createHeardLog, until } from '../../kube/testing/scripted-server.ts';
import { EventSender } from './event-sender.ts';
import type { PolicyEvent } from './policy-events.ts';

function refusal(status: number): KubeAnswerError {
  return new KubeAnswerError('do it', { status, reason: '', message: 'no', retry: undefined });
}

/** A server that keeps events by name, as the API server does, until somebody makes it forget or refuse. */
class EventServer {
  readonly events = new Map<string, JsonRecord>();
  requests = 0;
  refuses = false;

  client(): KubeClient {
    const never = () => Promise.reject(new Error('nobody asks'));
    return {
      ...{
        server: 'events',
        get: never,
        replace: never,
        delete: never,
        stream: never,
        close: () => undefined,
      },
      create: async (_path, body) => {
        this.#count();
        const name = String(recordOf(recordOf(body).metadata).name);
        if (this.events.has(name)) throw refusal(409);
        this.events.set(name, recordOf(body));
        return body;
      },
      patch: async (path, body) => {
        this.#count();
        const name = path.split('/').at(-1) ?? '';
        const known = this.events.get(name);
        if (known === undefined) throw refusal(404);
        this.events.set(name, { ...known, ...recordOf(body) });
        return this.events.get(name);
      },
    };
  }

  #count(): void {
    this.requests++;
    if (this.refuses) throw refusal(403);
  }
}

const SUBJECT = { namespace: 'ns', name: 'p', uid: 'u' };
const event = (message: string): PolicyEvent => ({ type: 'Normal', reason: 'Realised', message });

function setUp() {
  const [server, clock, log] = [new EventServer(), createManualClock(), createHeardLog()];
  const open = () => new EventSender({ client: server.client(), nodeName: 'w1', clock, log });
  return { server, clock, log, open, sender: open() };
}

describe('EventSender', () => {
  it('counts a second event of the same words on the first', async () => {
    const { server, sender } = setUp();
    sender.send(SUBJECT, [event('a'), event('a'), event('b')]);
    await until('both', () => server.events.size === 2 && server.requests === 3);
    expect([...server.events.values()].map(({ message, count }) => [message, count])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });

  it('goes on with the count of the leader before, and anew when the server has forgotten', async () => {
    const { server, sender, open } = setUp();
    sender.send(SUBJECT, [event('a')]);
    await until('the first', () => server.events.size === 1);
    const next = open();
    next.send(SUBJECT, [event('a'), event('a')]);
    await until('its events', () => server.requests === 4);
    expect([...server.events.values()][0]?.count).toBe(2);
    server.events.clear();
    next.send(SUBJECT, [event('a')]);
    await until('a new one', () => server.events.size === 1);
    expect([...server.events.values()][0]?.count).toBe(1);
  });

  it('sends ten of one policy at once, then one a minute, and leaves other policies theirs', async () => {
    const { server, clock, sender } = setUp();
    sender.send(
      SUBJECT,
      Array.from({ length: 30 }, (_, i) => event(`${i}`)),
    );
    sender.send({ ...SUBJECT, name: 'q', uid: 'v' }, [event('mine')]);
    await until('eleven', () => server.events.size === 11);
    expect(sender.dropped).toBe(20);
    clock.advance(60_000);
    sender.send(SUBJECT, [event('x'), event('y')]);
    await until('one more', () => server.events.size === 12);
    expect(sender.dropped).toBe(21);
  });

  it('drops what it may not send, and says so once', async () => {
    const { server, log, sender } = setUp();
    server.refuses = true;
    sender.send(SUBJECT, [event('a'), event('b'), event('c')]);
    await until('three refusals', () => sender.dropped === 3);
    expect(log.lines.length).toBe(1);
    server.refuses = false;
    sender.send(SUBJECT, [event('d')]);
    await until('the next', () => server.events.size === 1);
  });
});
