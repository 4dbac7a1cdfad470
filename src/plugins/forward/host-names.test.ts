import { afterEach, describe, expect, it } from 'vitest';
import { RCODE, TYPE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { replyTo } from '../../dns/reply.ts';
import type { PluginInstance } from '../contract.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';
import { answering, FakeUpstream, type Script, silent } from './testing/fake-upstream.ts';

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function upstream(script: Script): Promise<FakeUpstream> {
  const server = await FakeUpstream.start(script);
  cleanUps.push(() => server.close());
  return server;
}

/** Knows these records and no others: a name without them does not exist. */
function knowing(...records: readonly ResourceRecord[]): Script {
  return ({ query, send }) => {
    const [question] = query.questions;
    const own = records.filter(({ name }) => name === question?.name);
    const answers = own.filter(({ type }) => type === question?.type);
    const rcode = own.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN;
    send(encodeMessage(replyTo(query, { answers, rcode, recursionAvailable: true })));
  };
}

function prepared(line: string): PluginInstance {
  const instance = setUp(setup, line, { host: fakeHost() });
  cleanUps.push(() => instance.onShutdown?.());
  return instance;
}

async function answerOf(instance: PluginInstance): Promise<string | undefined> {
  const reply = await instance.plugin?.(() => ({ rcode: RCODE.NXDOMAIN }))(ask('example.org.'));
  const first = reply?.message?.answers[0];
  return first && recordAddress(first);
}

describe('names of hosts among the TOs', () => {
  it('are looked up by the servers of resolver, at the start and once', async () => {
    const server = await upstream(answering([record('example.org. 60 A 192.0.2.1')]));
    const resolver = await upstream(knowing(record('dns.example. 60 A 127.0.0.1')));
    const instance = prepared(`forward . dns.example:${server.port} {\nresolver ${resolver.text}\n}`);
    expect(resolver.asked).toEqual([]);
    await instance.onStart?.();
    const types = resolver.asked.map(({ query }) => query.questions[0]?.type);
    expect(types.sort()).toEqual([TYPE.A, TYPE.AAAA]);
    for (let i = 0; i < 3; i++) expect(await answerOf(instance)).toBe('192.0.2.1');
    expect(resolver.asked).toHaveLength(2);
  });

  it('stand for each of their addresses, without duplicates', async () => {
    const server = await upstream(answering([record('example.org. 60 A 192.0.2.1')]));
    const addresses = [record('dns.example. 60 A 127.0.0.9'), record('dns.example. 60 A 127.0.0.1')];
    const resolver = await upstream(knowing(...addresses));
    const to = `dns.example:${server.port} 127.0.0.1:${server.port}`;
    const instance = prepared(`forward . ${to} {\nresolver ${resolver.text}\npolicy sequential\n}`);
    await instance.onStart?.();
    // Nobody listens on 127.0.0.9, so the second address is asked after all.
    expect(await answerOf(instance)).toBe('192.0.2.1');
  });

  it("are looked up by the system's resolver without that option", async () => {
    const server = await upstream(answering([record('example.org. 60 A 192.0.2.1')]));
    const instance = prepared(`forward . localhost:${server.port} {\nsource_address 127.0.0.1\n}`);
    await instance.onStart?.();
    expect(await answerOf(instance)).toBe('192.0.2.1');
  });

  it.each([
    ['does not exist', knowing(), 'no such host'],
    ['has no address', knowing(record('dns.example. 60 TXT x')), 'no such host'],
    [
      'cannot be looked up',
      ((asked) => answering([], { rcode: RCODE.SERVFAIL })(asked)) as Script,
      'server misbehaving',
    ],
  ])('end the start, with their line, when one %s', async (_case, script, reason) => {
    const resolver = await upstream(script);
    const instance = prepared(`forward . dns.example {\nresolver ${resolver.text}\n}`);
    await expect(async () => instance.onStart?.()).rejects.toThrow(
      `plugin/forward: Corefile:2 - Error during parsing: unable to resolve "dns.example": lookup dns.example: ${reason}`,
    );
  });

  it('are no more upstreams than addresses may be', async () => {
    const many = Array.from({ length: 16 }, (_, i) => record(`dns.example. 60 A 192.0.2.${i}`));
    const resolver = await upstream(knowing(...many));
    const instance = prepared(`forward . dns.example {\nresolver ${resolver.text}\n}`);
    await expect(async () => instance.onStart?.()).rejects.toThrow('more than 15 TOs configured: 16');
  });

  it('are not looked up while the Corefile is only read', async () => {
    const resolver = await upstream(silent);
    prepared(`forward . dns.example {\nresolver ${resolver.text}\n}`);
    await new Promise(setImmediate);
    expect(resolver.asked).toEqual([]);
  });
});
