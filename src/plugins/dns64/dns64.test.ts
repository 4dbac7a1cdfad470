import { describe, expect, it } from 'vitest';
import { typeName } from '../../dns/codes.ts';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { type AskOptions, ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

const NAME = 'www.example.';
const A = record('www.example. 300 A 192.0.2.33');
const A_LONG = record('www.example. 9000 A 192.0.2.33');
const AAAA = record('www.example. 300 AAAA 2001:db8::1');
const MAPPED: ResourceRecord = {
  ...AAAA,
  rdata: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4),
};
const CNAME = record('www.example. 60 CNAME web.example.');
const A_OF_CNAME = record('web.example. 300 A 192.0.2.33');
const SOA = record('example. 120 SOA');
const NS = record('example. 300 NS ns.example.');
const GLUE = record('ns.example. 300 A 192.0.2.53');
const SIGNATURE_A: ResourceRecord = { ...A, type: 46, rdata: Uint8Array.of(0, 1, 8, 2, 0, 0, 1, 44) };
const SIGNATURE_CNAME: ResourceRecord = { ...A, type: 46, rdata: Uint8Array.of(0, 5, 8, 2, 0, 0, 1, 44) };

interface Scene {
  readonly lines?: string;
  /** Undefined: the plugin behind leaves the reply to the server, with SERVFAIL. */
  readonly aaaa?: Partial<Message> | undefined;
  readonly a?: Partial<Message> | undefined;
  readonly qtype?: string;
  readonly options?: AskOptions;
}

async function play({ lines = 'dns64', aaaa, a, qtype = 'AAAA', options = {} }: Scene) {
  const query = ask(NAME, qtype, { client: 'fd00::7', ...options });
  const asked: string[] = [];
  const host = fakeHost({
    resolve: async (from: Query, name, type) => {
      asked.push(`${name} ${typeName(type)}`);
      return a && { ...replyTo(from.message), ...a };
    },
  });
  const message = aaaa && { ...replyTo(query.message), ...aaaa };
  const before: Reply = message === undefined ? { rcode: 2 } : { rcode: message.rcode, message };
  const after = await setUp(setup, lines, { host }).plugin?.(() => before)(query);
  return { before, after, asked, host };
}

/** `owner TTL TYPE data`. */
function print({ name, type, ttlSeconds, ...rest }: ResourceRecord): string {
  const made = { name, type, ttlSeconds, ...rest };
  return `${name} ${ttlSeconds} ${typeName(type)} ${recordAddress(made) ?? recordTarget(made) ?? ''}`.trim();
}

describe('dns64', () => {
  it.each<Scene & { name: string; says: readonly string[] }>([
    {
      name: 'an empty answer, with the TTL of its SOA record',
      aaaa: { authorities: [SOA] },
      a: { answers: [A] },
      says: ['www.example. 120 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'an empty answer without an SOA record, with 600 seconds at most',
      aaaa: {},
      a: { answers: [A_LONG] },
      says: ['www.example. 600 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'an empty answer, with the TTL of the A record',
      aaaa: {},
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'SERVFAIL',
      aaaa: { rcode: 2 },
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'REFUSED',
      aaaa: { rcode: 5 },
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'SERVFAIL with an empty answer for A',
      aaaa: { rcode: 2 },
      a: { answers: [CNAME] },
      says: ['www.example. 60 CNAME web.example.'],
    },
    {
      name: 'a name that is another’s alias',
      aaaa: { answers: [CNAME] },
      a: { answers: [CNAME, A_OF_CNAME] },
      says: ['www.example. 60 CNAME web.example.', 'web.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'an answer of addresses that lead nowhere',
      aaaa: { answers: [MAPPED] },
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'an answer with AAAA records, when all are translated',
      lines: 'dns64 {\ntranslate_all\n}',
      aaaa: { answers: [AAAA] },
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'a query over IPv4, when allowed',
      lines: 'dns64 {\nallow_ipv4\n}',
      aaaa: {},
      a: { answers: [A] },
      options: { client: '10.0.0.7' },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'with a prefix as argument',
      lines: 'dns64 64:1337::/96',
      aaaa: {},
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:1337::c000:221'],
    },
    {
      name: 'with a prefix as option',
      lines: 'dns64 {\nprefix 2001:db8:122:300::/56\n}',
      aaaa: {},
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 2001:db8:122:3c0:0:221::'],
    },
    {
      name: 'with the prefix of the last line',
      lines: 'dns64 64:1337::/96\ndns64 64:1338::/96',
      aaaa: {},
      a: { answers: [A] },
      says: ['www.example. 300 AAAA 64:1338::c000:221'],
    },
    {
      name: 'without the signatures of A records',
      aaaa: {},
      a: { answers: [A, SIGNATURE_A] },
      options: { dnssecOk: true },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'with DO alone',
      aaaa: {},
      a: { answers: [A] },
      options: { dnssecOk: true },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
    {
      name: 'with CD alone',
      aaaa: {},
      a: { answers: [A] },
      options: { checkingDisabled: true },
      says: ['www.example. 300 AAAA 64:ff9b::c000:221'],
    },
  ])('translates $name', async ({ says, ...scene }) => {
    const { after, asked, host } = await play(scene);
    expect(after?.rcode).toBe(0);
    expect(after?.message?.answers.map(print)).toEqual(says);
    expect(asked).toEqual([`${NAME} A`]);
    expect(await host.metric('coredns_dns64_requests_translated_total{server="dns://:53"}')).toBe(1);
  });

  it.each<Scene & { name: string }>([
    { name: 'an answer with AAAA records', aaaa: { answers: [AAAA] } },
    { name: 'NXDOMAIN', aaaa: { rcode: 3, authorities: [SOA] } },
    { name: 'NXDOMAIN, when all are translated', lines: 'dns64 {\ntranslate_all\n}', aaaa: { rcode: 3 } },
    { name: 'other types', aaaa: { authorities: [SOA] }, qtype: 'A' },
    { name: 'type ANY', aaaa: { authorities: [SOA] }, qtype: 'ANY' },
    { name: 'other classes', aaaa: {}, options: { class: 3 } },
    { name: 'queries over IPv4', aaaa: {}, options: { client: '10.0.0.7' } },
    { name: 'queries over IPv4, mapped', aaaa: {}, options: { client: '::ffff:10.0.0.7' } },
    { name: 'clients that validate', aaaa: {}, options: { dnssecOk: true, checkingDisabled: true } },
    { name: 'failures that are left to the server', aaaa: undefined },
  ])('asks for nothing else after $name', async (scene) => {
    const { before, after, asked } = await play({ a: { answers: [A] }, ...scene });
    expect(after).toBe(before);
    expect(asked).toEqual([]);
  });

  it.each<Scene & { name: string }>([
    { name: 'no A records either', aaaa: { authorities: [SOA] }, a: { authorities: [SOA] } },
    { name: 'an error for A', aaaa: { authorities: [SOA] }, a: { rcode: 2 } },
    { name: 'errors for both', aaaa: { rcode: 2 }, a: { rcode: 5 } },
    { name: 'nothing but AAAA', lines: 'dns64 {\ntranslate_all\n}', aaaa: { answers: [AAAA] }, a: {} },
  ])('gives the answer for AAAA where there is $name', async (scene) => {
    const { before, after, asked } = await play(scene);
    expect(after).toBe(before);
    expect(asked).toEqual([`${NAME} A`]);
  });

  it('fails where the A records cannot be asked for at all', async () => {
    const { after } = await play({ aaaa: {}, a: undefined });
    expect(after?.rcode).toBe(2);
    expect(after?.error?.message).toContain(NAME);
  });

  it('keeps the other sections and the other records of the answer for A, but never its AD bit', async () => {
    const flags = { ...replyTo(ask(NAME).message).flags, authenticData: true, truncated: true };
    const a = {
      answers: [CNAME, SIGNATURE_CNAME, A_OF_CNAME],
      authorities: [NS],
      additionals: [GLUE],
      flags,
    };
    const { after } = await play({ aaaa: { authorities: [SOA] }, a });
    expect(after?.message).toMatchObject({ authorities: [NS], additionals: [GLUE] });
    expect(after?.message?.answers.slice(0, 2)).toEqual([CNAME, SIGNATURE_CNAME]);
    expect(after?.message?.flags).toMatchObject({ authenticData: false, truncated: true });
    expect(after?.message?.questions[0]).toMatchObject({ name: NAME, type: 28 });
  });

  it('says nothing about answers of packet threads, which then do not give any', () => {
    expect(setUp(setup, 'dns64').replay).toBeUndefined();
  });

  it.each([
    ['an IPv4 prefix', 'dns64 10.0.0.0/8', /invalid netmask 32 IPv6 address: "10.0.0.0\/8"/],
    ['a prefix that is too short', 'dns64 64:ff9b::/24', /invalid prefix length/],
    ['a prefix that is too long', 'dns64 64:ff9b::/104', /invalid prefix length "64:ff9b::\/104"/],
    ['a prefix between two bytes', 'dns64 64:ff9b::/65', /invalid prefix length/],
    ['a word that is no prefix', 'dns64 nat64', /invalid CIDR address: nat64/],
    ['two arguments', 'dns64 64:ff9b::/96 64:ff9c::/96', /unexpected line ending after '64:ff9c::\/96'/],
    ['prefix without a value', 'dns64 {\nprefix\n}', /Corefile:3 .* after 'prefix'/],
    ['an argument of translate_all', 'dns64 {\ntranslate_all yes\n}', /after 'yes'/],
    ['an unknown option', 'dns64 {\nexclude fd00::/8\n}', /Corefile:3 .* unknown property 'exclude'/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
