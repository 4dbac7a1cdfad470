import { describe, expect, it } from 'vitest';
import type { Flags } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query } from '../../server/handler.ts';
import { setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

/** The flags that the plugin behind saw and those of the reply, which that plugin made of the query. */
async function flagsAfter(body: string, made: Partial<Flags> = {}): Promise<{ seen?: Flags; sent?: Flags }> {
  const found: { seen?: Flags; sent?: Flags } = {};
  const { plugin } = setUp(setup, `header {\n${body}\n}`);
  const behind = (query: Query) => {
    found.seen = query.message.flags;
    const message = replyTo(query.message);
    return { rcode: 0, message: { ...message, flags: { ...message.flags, ...made } } };
  };
  const reply = await plugin?.(behind)(ask('a.test.', 'A', { recursionDesired: true }));
  if (reply?.message !== undefined) found.sent = reply.message.flags;
  return found;
}

describe('header', () => {
  it.each<{ name: string; body: string; made?: Partial<Flags>; sent: Partial<Flags> }>([
    { name: 'sets ra', body: 'response set ra', sent: { recursionAvailable: true } },
    { name: 'sets aa', body: 'response set aa', sent: { authoritative: true } },
    {
      name: 'clears aa',
      body: 'response clear aa',
      made: { authoritative: true },
      sent: { authoritative: false },
    },
    { name: 'clears rd', body: 'response clear rd', sent: { recursionDesired: false } },
    {
      name: 'takes several flags in a line',
      body: 'response set ra aa',
      sent: { recursionAvailable: true, authoritative: true },
    },
    {
      name: 'lets the last line win',
      body: 'response set ra\nresponse clear ra',
      sent: { recursionAvailable: false },
    },
    { name: 'means responses when neither is said', body: 'set ra', sent: { recursionAvailable: true } },
    { name: 'takes any case', body: 'RESPONSE SET RA', sent: { recursionAvailable: true } },
    {
      name: 'leaves other flags alone',
      body: 'response set ra',
      made: { authoritative: true, authenticData: true },
      sent: { authoritative: true, authenticData: true, recursionDesired: true },
    },
  ])('$name', async ({ body, made, sent }) => {
    expect((await flagsAfter(body, made)).sent).toMatchObject(sent);
  });

  it('changes what the plugins behind see, and only that', async () => {
    const { seen, sent } = await flagsAfter('query clear rd', { recursionDesired: true });
    expect(seen?.recursionDesired).toBe(false);
    expect(sent?.recursionDesired).toBe(true);
  });

  it('never changes the query or the reply it was given', async () => {
    const query = ask('a.test.');
    const message = replyTo(query.message);
    const { plugin } = setUp(setup, 'header {\nquery clear rd\nresponse set aa\n}');
    const reply = await plugin?.(async () => ({ rcode: 0, message }))(query);
    expect(query.message.flags.recursionDesired).toBe(true);
    expect(message.flags.authoritative).toBe(false);
    expect(reply?.message?.flags.authoritative).toBe(true);
  });

  it('passes a failure without a message through', async () => {
    const { plugin } = setUp(setup, 'header {\nset ra\n}');
    expect(await plugin?.(() => ({ rcode: 2 }))(ask('a.test.'))).toEqual({ rcode: 2 });
  });

  it.each([
    ['no lines', 'header', /unexpected line ending after 'header'/],
    ['an argument', 'header set ra', /unexpected line ending after 'set'/],
    [
      'an unknown selector',
      'header {\nreply set ra\n}',
      /Corefile:3 .* invalid selector=reply should be query or response/,
    ],
    ['no action', 'header {\nquery\n}', /no flag action provided/],
    [
      'an unknown action',
      'header {\nresponse flip ra\n}',
      /unknown flag action=flip, should be set or clear/,
    ],
    ['no flags', 'header {\nresponse set\n}', /at least one should be provided/],
    ['an unknown flag', 'header {\nset ad\n}', /unknown\/unsupported flag=ad/],
    ['a second one', 'header {\nset ra\n}\nheader {\nset aa\n}', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
