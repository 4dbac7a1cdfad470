import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { EdnsOption } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Query } from '../../server/handler.ts';
import { setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const NSID = 3;
const COOKIE = 10;
const EDE = 15;
const WANTED: EdnsOption = { code: NSID, data: new Uint8Array(0) };

function asking(options: readonly EdnsOption[] | undefined): Query {
  const query = ask('a.test.', 'A', { udpSize: 1400 });
  const { edns, ...plain } = query.message;
  if (options === undefined || edns === undefined) return { ...query, message: plain };
  return { ...query, message: { ...plain, edns: { ...edns, options } } };
}

const answers: Handler = (query) => ({ rcode: 0, message: replyTo(query.message) });

async function reply(lines: string, query: Query, behind = answers) {
  return await setUp(setup, lines).plugin?.(behind)(query);
}

/** Hexadecimal, as `dig` shows it. */
async function given(lines: string, query: Query, behind?: Handler) {
  const option = (await reply(lines, query, behind))?.message?.edns?.options.find(
    ({ code }) => code === NSID,
  );
  return option && Buffer.from(option.data).toString('hex');
}

describe('nsid', () => {
  it.each([
    ['nsid', Buffer.from(hostname()).toString('hex')],
    ['nsid server-7', '7365727665722d37'],
    ['nsid rack 7', '7261636b2037'],
    ['nsid "rack 7"', '7261636b2037'],
    ['nsid ü', 'c3bc'],
  ])('gives what %s says', async (lines, hex) => {
    expect(await given(lines, asking([WANTED]))).toBe(hex);
  });

  it('is asked for among other options, and by a client that sends a text itself', async () => {
    expect(await given('nsid x', asking([{ code: COOKIE, data: new Uint8Array(8) }, WANTED]))).toBe('78');
    expect(await given('nsid x', asking([{ code: NSID, data: Uint8Array.of(1, 2) }]))).toBe('78');
  });

  it.each([
    { name: 'without EDNS', options: undefined },
    { name: 'with EDNS but without the option', options: [] },
    { name: 'with another option', options: [{ code: COOKIE, data: new Uint8Array(8) }] },
  ])('says nothing to a client $name', async ({ options }) => {
    expect((await reply('nsid x', asking(options)))?.message?.edns).toBeUndefined();
  });

  it('keeps the options of the plugins behind, but no other server’s name', async () => {
    const own = [
      { code: EDE, data: Uint8Array.of(0, 3) },
      { code: NSID, data: Uint8Array.of(0xff) },
    ];
    const behind: Handler = async (query) => ({
      rcode: 0,
      message: replyTo(query.message, { edns: { version: 0, udpSize: 512, dnssecOk: false, options: own } }),
    });
    const options = (await reply('nsid x', asking([WANTED]), behind))?.message?.edns?.options;
    expect(options).toEqual([own[0], { code: NSID, data: Uint8Array.of(0x78) }]);
  });

  it('names the server in failures too, and says nothing where nothing is sent', async () => {
    const error = new Error('gone');
    const failed = await reply('nsid x', asking([WANTED]), () => ({ rcode: 2, error }));
    expect(failed).toMatchObject({ rcode: 2, error, message: { rcode: 2 } });
    const dropped = { rcode: 0, drop: true } as const;
    expect(await reply('nsid x', asking([WANTED]), () => dropped)).toBe(dropped);
  });

  it.each([
    ['an option', 'nsid {\ntext x\n}', /Corefile:3 .* unknown property 'text'/],
    ['a text that is too long', `nsid ${'x'.repeat(513)}`, /at most 512 bytes: received 513/],
    ['a second one', 'nsid\nnsid', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
