import { describe, expect, it } from 'vitest';
import type { EdnsOption, Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

interface Case {
  readonly rules: string;
  readonly qname: string;
  readonly client?: string;
  readonly options?: readonly EdnsOption[];
}

/** What arrived behind the plugin, and what came back from it. */
async function run({
  rules,
  qname,
  client,
  options,
}: Case): Promise<{ seen: Query | undefined; reply: Reply }> {
  let seen: Query | undefined;
  const next = (query: Query): Reply => {
    seen = query;
    return { rcode: 0, message: replyTo(query.message) };
  };
  const { plugin } = setUp(setup, rules);
  const plain = ask(qname, 'A', client === undefined ? {} : { client });
  const edns = options && { version: 0, udpSize: 1232, dnssecOk: false, options };
  const reply = await plugin?.(next)(edns ? { ...plain, message: { ...plain.message, edns } } : plain);
  if (reply === undefined) throw new Error('rewrite has no plugin');
  return { seen, reply };
}

describe('rewrite edns0', () => {
  const LOCAL = { code: 0xffee, data: new TextEncoder().encode('old') };
  const bytes = (text: string) => new TextEncoder().encode(text);

  it.each([
    {
      rules: 'edns0 local set 0xffee 0x61626364',
      options: [],
      becomes: [{ code: 0xffee, data: bytes('abcd') }],
    },
    {
      rules: 'edns0 local set 0xffee abcd',
      options: [LOCAL],
      becomes: [{ code: 0xffee, data: bytes('abcd') }],
    },
    { rules: 'edns0 local append 65518 abcd', options: [], becomes: [{ code: 0xffee, data: bytes('abcd') }] },
    { rules: 'edns0 local append 0xffee abcd', options: [LOCAL], becomes: [LOCAL] },
    {
      rules: 'edns0 local replace 0xffee abcd',
      options: [LOCAL],
      becomes: [{ code: 0xffee, data: bytes('abcd') }],
    },
    { rules: 'edns0 local replace 0xffee abcd', options: [], becomes: [] },
    { rules: 'edns0 local unset 0xffee', options: [LOCAL], becomes: [] },
    {
      rules: 'edns0 nsid set',
      options: [{ code: 3, data: bytes('x') }],
      becomes: [{ code: 3, data: bytes('') }],
    },
    { rules: 'edns0 nsid unset', options: [{ code: 3, data: bytes('x') }], becomes: [] },
    {
      rules: 'edns0 subnet set 24 56',
      options: [],
      becomes: [{ code: 8, data: Uint8Array.of(0, 1, 24, 0, 10, 1, 2) }],
    },
    {
      rules: 'edns0 subnet set 20 56',
      options: [],
      becomes: [{ code: 8, data: Uint8Array.of(0, 1, 20, 0, 10, 1, 0) }],
    },
    { rules: 'edns0 subnet set 0 0', options: [], becomes: [{ code: 8, data: Uint8Array.of(0, 1, 0, 0) }] },
    {
      rules: 'edns0 subnet set 24 44',
      options: [],
      client: '2001:db8:1234:5678::1',
      becomes: [{ code: 8, data: Uint8Array.of(0, 2, 44, 0, 0x20, 0x01, 0x0d, 0xb8, 0x12, 0x30) }],
    },
    { rules: 'edns0 local set 1 {qname}', options: [], becomes: [{ code: 1, data: bytes('a.') }] },
    { rules: 'edns0 local set 1 {qtype}', options: [], becomes: [{ code: 1, data: Uint8Array.of(0, 1) }] },
    {
      rules: 'edns0 local set 1 {client_ip}',
      options: [],
      becomes: [{ code: 1, data: Uint8Array.of(10, 1, 2, 3) }],
    },
    {
      rules: 'edns0 local set 1 {client_port}',
      options: [],
      becomes: [{ code: 1, data: Uint8Array.of(0x9c, 0x40) }],
    },
    { rules: 'edns0 local set 1 {protocol}', options: [], becomes: [{ code: 1, data: bytes('udp') }] },
    {
      rules: 'edns0 local set 1 {server_ip}',
      options: [],
      becomes: [{ code: 1, data: Uint8Array.of(10, 0, 0, 2) }],
    },
    {
      rules: 'edns0 local set 1 {server_port}',
      options: [],
      becomes: [{ code: 1, data: Uint8Array.of(0, 53) }],
    },
    { rules: 'edns0 local set 1 {some/label}', options: [], becomes: [{ code: 1, data: bytes('') }] },
  ])('$rules', async ({ rules, options, becomes, client = '10.1.2.3' }) => {
    const { seen } = await run({ rules: `rewrite ${rules}`, qname: 'a', options, client });
    expect(seen?.message.edns?.options).toEqual(becomes);
  });

  it('puts metadata into options', async () => {
    const { plugin } = setUp(setup, 'rewrite edns0 local set 1 {k/ns}');
    const query = ask('a', 'A', { udpSize: 1232 });
    query.metadata.set('k/ns', 'default');
    let seen: Message | undefined;
    await plugin?.((behind) => {
      seen = behind.message;
      return { rcode: 0 };
    })(query);
    expect(seen?.edns?.options).toEqual([{ code: 1, data: bytes('default') }]);
  });

  it('gives a query without EDNS an OPT record, and its answer none', async () => {
    const { seen, reply } = await run({ rules: 'rewrite edns0 nsid set', qname: 'a' });
    expect(seen?.message.edns).toEqual({
      version: 0,
      udpSize: 4096,
      dnssecOk: false,
      options: [{ code: 3, data: bytes('') }],
    });
    expect(reply.message?.edns).toBeUndefined();
  });

  it('shows the client its own option as changed, and with revert as it was', async () => {
    const changed = await run({ rules: 'rewrite edns0 local set 0xffee new', qname: 'a', options: [LOCAL] });
    expect(changed.reply.message?.edns?.options).toEqual([{ code: 0xffee, data: bytes('new') }]);
    const reverted = await run({
      rules: 'rewrite edns0 local set 0xffee new revert',
      qname: 'a',
      options: [LOCAL],
    });
    expect(reverted.seen?.message.edns?.options).toEqual([{ code: 0xffee, data: bytes('new') }]);
    expect(reverted.reply.message?.edns).toBeUndefined();
    const host = fakeHost();
    setUp(setup, 'rewrite edns0 local set 0xffee new revert', { host });
    expect([...host.keptOptions]).toEqual([0xffee]);
  });
});
