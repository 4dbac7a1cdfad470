import { describe, expect, it } from 'vitest';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Reply } from '../../server/handler.ts';
import { setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

const A = record('www.example. 30 A 192.0.2.1');
const GLUE = record('ns.example. 30 A 192.0.2.53');
const NS = record('example. 30 NS ns.example.');
const SOA = record('example. 30 SOA');

async function through(content: Partial<Message>, qtype = 'A', extra: Partial<Reply> = {}): Promise<Reply> {
  const query = ask('www.example.', qtype);
  const message = { ...replyTo(query.message), ...content };
  const handler = setUp(setup, 'minimal').plugin?.(() => ({ rcode: message.rcode, message, ...extra }));
  if (handler === undefined) throw new Error('no plugin');
  return await handler(query);
}

describe('minimal', () => {
  it.each([
    { name: 'an answer', content: { answers: [A], authorities: [NS], additionals: [GLUE] } },
    { name: 'an answer with an SOA record', content: { answers: [A], authorities: [SOA], additionals: [] } },
    { name: 'an empty answer with nothing but additional records', content: { additionals: [GLUE] } },
  ])('trims $name', async ({ content }) => {
    const { message } = await through(content);
    expect(message).toMatchObject({ authorities: [], additionals: [] });
    expect(message?.answers).toEqual(content.answers ?? []);
  });

  it.each([
    { name: 'NXDOMAIN', content: { rcode: 3, authorities: [SOA], additionals: [GLUE] } },
    { name: 'an empty answer with its SOA record', content: { authorities: [SOA], additionals: [GLUE] } },
    { name: 'a delegation', content: { authorities: [NS], additionals: [GLUE] } },
    { name: 'SERVFAIL', content: { rcode: 2, additionals: [GLUE] } },
    { name: 'REFUSED', content: { rcode: 5, authorities: [NS] } },
    { name: 'a NOTIFY', content: { opcode: 4, answers: [SOA], additionals: [GLUE] } },
  ])('leaves $name alone', async ({ content }) => {
    const { message } = await through(content);
    expect(message).toMatchObject(content);
  });

  it('leaves zone transfers alone', async () => {
    const content = { answers: [SOA], additionals: [GLUE] };
    expect((await through(content, 'AXFR')).message).toMatchObject(content);
    expect((await through(content, 'A', { more: [] })).message).toMatchObject(content);
  });

  it('keeps the extended error of the answer', async () => {
    const edns = {
      version: 0,
      udpSize: 1232,
      dnssecOk: false,
      options: [{ code: 15, data: Uint8Array.of(0, 3) }],
    };
    expect((await through({ answers: [A], authorities: [NS], edns })).message?.edns).toEqual(edns);
  });

  it('passes a failure without a message through, late ones too', async () => {
    const handler = setUp(setup, 'minimal').plugin?.(async () => ({ rcode: 2 }));
    expect(await handler?.(ask('www.example.'))).toEqual({ rcode: 2 });
  });

  it.each([
    ['an argument', 'minimal yes', /unexpected line ending after 'yes'/],
    ['an option', 'minimal {\nall\n}', /Corefile:3 .* unknown property 'all'/],
    ['a second one', 'minimal\nminimal', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
