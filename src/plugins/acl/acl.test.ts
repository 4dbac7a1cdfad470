import { describe, expect, it } from 'vitest';
import type { Handler } from '../../server/handler.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { type AskOptions, ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const NEXT = { rcode: 3 };
const behind: Handler = () => NEXT;

type Verdict = 'pass' | 'block' | 'filter' | 'drop';

async function verdict(
  lines: string,
  qname: string,
  qtype: string,
  options: AskOptions = {},
  host = fakeHost(),
): Promise<Verdict> {
  const reply = await setUp(setup, lines, { host }).plugin?.(behind)(ask(qname, qtype, options));
  if (reply === undefined) throw new Error('no plugin');
  if (reply.drop) return 'drop';
  if (reply.message === undefined) return 'pass';
  return reply.message.rcode === 5 ? 'block' : 'filter';
}

interface Case {
  readonly name: string;
  readonly lines: string;
  readonly client?: string;
  readonly qname?: string;
  readonly qtype?: string;
  readonly says: Verdict;
}

const CASES: readonly Case[] = [
  { name: 'block without conditions', lines: 'acl {\nblock\n}', says: 'block' },
  { name: 'block without conditions, IPv6', lines: 'acl {\nblock\n}', client: '2001:db8::1', says: 'block' },
  { name: 'filter without conditions', lines: 'acl {\nfilter\n}', says: 'filter' },
  { name: 'drop without conditions', lines: 'acl {\ndrop\n}', says: 'drop' },
  { name: 'allow without conditions', lines: 'acl {\nallow\n}', says: 'pass' },
  { name: 'no lines', lines: 'acl {\n}', says: 'pass' },
  { name: 'no braces', lines: 'acl', says: 'pass' },
  { name: 'an action in capitals', lines: 'acl {\nBLOCK\n}', says: 'block' },
  { name: 'a network that fits', lines: 'acl {\nblock net 10.0.0.0/8\n}', says: 'block' },
  { name: 'a network that does not fit', lines: 'acl {\nblock net 10.1.0.0/16\n}', says: 'pass' },
  { name: 'one of several networks', lines: 'acl {\nblock net 192.0.2.0/24 10.0.0.0/8\n}', says: 'block' },
  { name: 'a single address', lines: 'acl {\nblock net 10.0.0.1\n}', says: 'block' },
  { name: 'another single address', lines: 'acl {\nblock net 10.0.0.2\n}', says: 'pass' },
  { name: 'a single IPv6 address', lines: 'acl {\nblock net fd00::1\n}', client: 'fd00::1', says: 'block' },
  { name: 'its neighbour', lines: 'acl {\nblock net fd00::1\n}', client: 'fd00::2', says: 'pass' },
  { name: 'an IPv6 network', lines: 'acl {\nblock net fd00::/8\n}', client: 'fdff::1', says: 'block' },
  { name: 'an IPv6 network, IPv4 client', lines: 'acl {\nblock net ::/0\n}', says: 'pass' },
  {
    name: 'an IPv4 network, IPv6 client',
    lines: 'acl {\nblock net 0.0.0.0/0\n}',
    client: 'fd00::1',
    says: 'pass',
  },
  {
    name: 'a mapped client',
    lines: 'acl {\nblock net 10.0.0.0/8\n}',
    client: '::ffff:10.0.0.9',
    says: 'block',
  },
  {
    name: 'a mapped network',
    lines: 'acl {\nblock net ::ffff:10.0.0.0/104\n}',
    client: '10.9.9.9',
    says: 'block',
  },
  { name: 'a mapped address', lines: 'acl {\nblock net ::ffff:10.0.0.1\n}', says: 'block' },
  { name: 'host bits in a network', lines: 'acl {\nblock net 10.0.0.77/24\n}', says: 'block' },
  { name: 'net *', lines: 'acl {\nblock net *\n}', client: 'fd00::1', says: 'block' },
  { name: 'net * among others', lines: 'acl {\nblock net 192.0.2.1 *\n}', says: 'block' },
  { name: 'a type that fits', lines: 'acl {\nblock type AAAA\n}', qtype: 'AAAA', says: 'block' },
  { name: 'a type that does not fit', lines: 'acl {\nblock type AAAA\n}', qtype: 'A', says: 'pass' },
  { name: 'one of several types', lines: 'acl {\nblock type MX A\n}', qtype: 'A', says: 'block' },
  { name: 'type *', lines: 'acl {\nblock type *\n}', qtype: 'TXT', says: 'block' },
  { name: 'type ANY, which is one type', lines: 'acl {\nblock type ANY\n}', qtype: 'A', says: 'pass' },
  { name: 'a type by number', lines: 'acl {\nblock type TYPE65280\n}', qtype: 'TYPE65280', says: 'block' },
  { name: 'type and network both fit', lines: 'acl {\nblock type A net 10.0.0.0/8\n}', says: 'block' },
  { name: 'only the type fits', lines: 'acl {\nblock type A net 10.9.0.0/16\n}', says: 'pass' },
  { name: 'only the network fits', lines: 'acl {\nblock type TXT net 10.0.0.0/8\n}', says: 'pass' },
  { name: 'network before type', lines: 'acl {\nblock net 10.0.0.0/8 type A\n}', says: 'block' },
  { name: 'the first line that fits', lines: 'acl {\nallow net 10.0.0.0/8\nblock\n}', says: 'pass' },
  {
    name: 'the second when the first does not fit',
    lines: 'acl {\nallow net 10.9.0.0/16\nblock\n}',
    says: 'block',
  },
  { name: 'filter before block', lines: 'acl {\nfilter type A\nblock\n}', says: 'filter' },
  { name: 'a zone that fits', lines: 'acl example.org {\nblock\n}', says: 'block' },
  {
    name: 'a zone in other case',
    lines: 'acl Example.ORG {\nblock\n}',
    qname: 'WWW.example.org.',
    says: 'block',
  },
  { name: 'a zone that does not fit', lines: 'acl example.com {\nblock\n}', says: 'pass' },
  { name: 'one of several zones', lines: 'acl example.com example.org {\nblock\n}', says: 'block' },
  {
    name: 'the first of two stanzas that has a line for the query',
    lines: 'acl {\nblock type TXT\n}\nacl {\nfilter\n}',
    says: 'filter',
  },
  {
    name: 'allow in an earlier stanza',
    lines: 'acl {\nallow net 10.0.0.0/8\n}\nacl {\nblock\n}',
    says: 'pass',
  },
  {
    name: 'a stanza for another zone in front',
    lines: 'acl example.com {\nallow\n}\nacl {\ndrop\n}',
    says: 'drop',
  },
];

describe('acl', () => {
  it.each(CASES)(
    'obeys $name',
    async ({ lines, client = '10.0.0.1', qname = 'www.example.org.', qtype = 'A', says }) => {
      expect(await verdict(lines, qname, qtype, { client })).toBe(says);
    },
  );

  it.each([
    { action: 'block', rcode: 5, code: 15 },
    { action: 'filter', rcode: 0, code: 17 },
  ])('tells the client that it was stopped by $action', async ({ action, rcode, code }) => {
    const { plugin } = setUp(setup, `acl {\n${action}\n}`);
    const reply = await plugin?.(behind)(ask('www.example.org.', 'A', { udpSize: 1232 }));
    expect(reply).toMatchObject({ rcode, message: { rcode, answers: [], authorities: [] } });
    expect(reply?.message?.edns).toEqual({
      version: 0,
      udpSize: 4096,
      dnssecOk: true,
      options: [{ code: 15, data: Uint8Array.of(0, code) }],
    });
  });

  it('hands on the reply of what stands behind as it is', async () => {
    const { plugin } = setUp(setup, 'acl {\nallow\n}');
    expect(await plugin?.(behind)(ask('a.test.'))).toBe(NEXT);
  });

  it('counts by what was done, under the zone of the rule', async () => {
    const host = fakeHost();
    const lines = 'acl org {\nblock type TXT\nfilter type MX\ndrop type NS\n}';
    for (const type of ['TXT', 'TXT', 'MX', 'NS', 'A', 'AAAA', 'SRV', 'PTR']) {
      await verdict(lines, 'a.org.', type, {}, host);
    }
    const labels = 'server="dns://:53",view="",zone="org."';
    expect(await host.metric(`coredns_acl_blocked_requests_total{${labels}}`)).toBe(2);
    expect(await host.metric(`coredns_acl_filtered_requests_total{${labels}}`)).toBe(1);
    expect(await host.metric(`coredns_acl_dropped_requests_total{${labels}}`)).toBe(1);
    expect(await host.metric('coredns_acl_allowed_requests_total{server="dns://:53",view=""}')).toBe(4);
  });

  it('is about the zones of its block by default', async () => {
    const block = { zones: [name('example.org.')], server: 'dns://:53' };
    const handler = setUp(setup, 'acl {\nblock\n}', { block }).plugin?.(behind);
    expect((await handler?.(ask('a.example.org.')))?.rcode).toBe(5);
    expect(await handler?.(ask('a.example.com.'))).toBe(NEXT);
  });

  it.each([
    ['an unknown action', 'acl {\nallow\nreject\n}', /Corefile:4 .* unexpected token 'reject'/],
    ['an unknown section', 'acl {\nblock from 10.0.0.0/8\n}', /unexpected token 'from'; expect 'type | net'/],
    ['a section without tokens', 'acl {\nblock type net *\n}', /no token specified in 'type' section/],
    ['a section without tokens at the end', 'acl {\nblock net\n}', /no token specified in 'net' section/],
    ['a word that is no type', 'acl {\nblock type AAAAA\n}', /unexpected token 'AAAAA'; expect legal QTYPE/],
    ['a word that is no network', 'acl {\nblock net 10.0.0\n}', /illegal CIDR notation '10.0.0'/],
    ['a mask that is too long', 'acl {\nblock net 10.0.0.0/33\n}', /illegal CIDR notation '10.0.0.0\/33'/],
    ['a mapped mask that is too short', 'acl {\nblock net ::ffff:10.0.0.0/8\n}', /illegal CIDR notation/],
    ['a name as network', 'acl {\nblock net localhost\n}', /illegal CIDR notation 'localhost'/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
