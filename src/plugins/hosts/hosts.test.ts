import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { recordAddress } from '../../dns/rdata/address.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import type { Handler, Reply } from '../../server/handler.ts';
import type { PluginInstance } from '../contract.ts';
import { type FakeHost, fakeHost, name, setUp } from '../fake-host.ts';
import { type AskOptions, ask } from '../fake-query.ts';
import { setup } from './setup.ts';

/** Files and packets on a machine that may be busy. */
const PATIENTLY = { timeout: 15_000 };
const directory = mkdtempSync(join(tmpdir(), 'zerohop-hosts-'));
const FILE = join(directory, 'hosts');
const FILE_TEXT = `
# nodes
127.0.0.1   localhost
192.0.2.10  web.example Alias.EXAMPLE   www.example # trailing
192.0.2.11\tweb.example
2001:db8::1 web.example
fe80::1%eth0 link.example
192.0.2.20  *.apps.example
192.0.2.21  fixed.apps.example
`;

const started: PluginInstance[] = [];
afterEach(async () => {
  for (const instance of started.splice(0)) await instance.onShutdown?.();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Answers with rcode 42, which no plugin does. */
const next: Handler = () => ({ rcode: 42 });

async function start(lines: string, host: FakeHost = fakeHost({ directory })): Promise<Handler> {
  const instance = setUp(setup, lines, { host });
  started.push(instance);
  await instance.onStart?.();
  if (instance.plugin === undefined) throw new Error('hosts has no plugin');
  return instance.plugin(next);
}

/** `NOERROR` answers as text, others as their number. */
async function answers(
  handler: Handler,
  qname: string,
  qtype = 'A',
  options: AskOptions = {},
): Promise<unknown> {
  const reply: Reply = await handler(ask(qname, qtype, options));
  if (reply.message === undefined) return reply.rcode;
  expect(reply.message).toMatchObject({ rcode: 0, flags: { authoritative: true }, authorities: [] });
  return reply.message.answers.map((record) => recordAddress(record) ?? recordTarget(record));
}

describe('hosts answers', () => {
  writeFileSync(FILE, FILE_TEXT);
  it.each([
    {
      what: 'the addresses of a name in the order of the file',
      qname: 'web.example',
      expected: ['192.0.2.10', '192.0.2.11'],
    },
    { what: 'in any case', qname: 'WEB.Example', expected: ['192.0.2.10', '192.0.2.11'] },
    { what: 'an alias written in capitals', qname: 'alias.example', expected: ['192.0.2.10'] },
    { what: 'IPv6', qname: 'web.example', qtype: 'AAAA', expected: ['2001:db8::1'] },
    { what: 'an address without its scope', qname: 'link.example', qtype: 'AAAA', expected: ['fe80::1'] },
    { what: 'nothing for the other family', qname: 'localhost', qtype: 'AAAA', expected: [] },
    { what: 'nothing for other types', qname: 'localhost', qtype: 'MX', expected: [] },
    { what: 'a wildcard for one label', qname: 'any.apps.example', expected: ['192.0.2.20'] },
    { what: 'SERVFAIL below that label', qname: 'deep.any.apps.example', expected: 2 },
    { what: 'SERVFAIL for the name above a wildcard', qname: 'apps.example', expected: 2 },
    { what: 'an explicit name before its wildcard', qname: 'fixed.apps.example', expected: ['192.0.2.21'] },
    { what: 'SERVFAIL for an unknown name', qname: 'nowhere.example', expected: 2 },
    {
      what: 'the names of an address',
      qname: '10.2.0.192.in-addr.arpa',
      qtype: 'PTR',
      expected: ['web.example.', 'alias.example.', 'www.example.'],
    },
    {
      what: 'the names of an IPv6 address',
      qname: `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`,
      qtype: 'PTR',
      expected: ['web.example.'],
    },
    {
      what: 'no names for a wildcard: the next plugin',
      qname: '20.2.0.192.in-addr.arpa',
      qtype: 'PTR',
      expected: 42,
    },
    {
      what: 'part of a reverse name: the next plugin',
      qname: '2.0.192.in-addr.arpa',
      qtype: 'PTR',
      expected: 42,
    },
    {
      what: 'an unknown address: the next plugin',
      qname: '1.1.1.1.in-addr.arpa',
      qtype: 'PTR',
      expected: 42,
    },
    { what: 'another class: the next plugin', qname: 'web.example', class: 3, expected: 42 },
  ])('$what', async ({ qname, qtype, expected, ...options }) => {
    const handler = await start(`hosts ${FILE}`);
    expect(await answers(handler, qname, qtype, options)).toEqual(expected);
  });

  it('has a TTL of an hour unless told', async () => {
    const plain = await (await start(`hosts ${FILE}`))(ask('localhost'));
    expect(plain.message?.answers[0]?.ttlSeconds).toBe(3600);
    const told = await (await start(`hosts ${FILE} {\nttl 60\n}`))(ask('localhost'));
    expect(told.message?.answers[0]?.ttlSeconds).toBe(60);
  });
});

describe('hosts options', () => {
  it('serves only names inside its zones, and reverse names of those', async () => {
    const handler = await start(`hosts ${FILE} apps.example {\nfallthrough\n}`);
    expect(await answers(handler, 'fixed.apps.example')).toEqual(['192.0.2.21']);
    expect(await answers(handler, 'web.example')).toBe(42);
    expect(await answers(handler, '21.2.0.192.in-addr.arpa', 'PTR')).toEqual(['fixed.apps.example.']);
    expect(await answers(handler, '10.2.0.192.in-addr.arpa', 'PTR')).toBe(42);
  });

  it('falls through for unknown names, below the zones that are named', async () => {
    const everywhere = await start(`hosts ${FILE} {\nfallthrough\n}`);
    expect(await answers(everywhere, 'nowhere.example')).toBe(42);
    expect(await answers(everywhere, 'localhost', 'MX')).toEqual([]);
    const below = await start(`hosts ${FILE} {\nfallthrough a.example\n}`);
    expect(await answers(below, 'x.a.example')).toBe(42);
    expect(await answers(below, 'x.b.example')).toBe(2);
  });

  it('falls through for types it has not when told', async () => {
    const handler = await start(`hosts ${FILE} {\nfallthrough\nfallthrough_unsupported\n}`);
    expect(await answers(handler, 'localhost', 'TXT')).toBe(42);
    expect(await answers(handler, 'localhost', 'AAAA')).toEqual([]);
  });

  it('adds inline entries behind those of the file, and needs no file for them', async () => {
    const lines = '192.0.2.99 web.example\n::1 only.example *.wild.example';
    const handler = await start(`hosts ${FILE} {\n${lines}\nfallthrough\n}`);
    expect(await answers(handler, 'web.example')).toEqual(['192.0.2.10', '192.0.2.11', '192.0.2.99']);
    expect(await answers(handler, 'only.example', 'AAAA')).toEqual(['::1']);
    expect(await answers(handler, 'x.wild.example', 'AAAA')).toEqual(['::1']);
    const host = fakeHost({ directory });
    const alone = await start(`hosts missing {\n${lines}\n}`, host);
    expect(await answers(alone, 'only.example', 'AAAA')).toEqual(['::1']);
    expect(host.lines).toEqual([`[WARNING] File does not exist: ${join(directory, 'missing')}`]);
  });

  it('has no names for addresses with no_reverse', async () => {
    const handler = await start(`hosts ${FILE} {\nno_reverse\n}`);
    expect(await answers(handler, '10.2.0.192.in-addr.arpa', 'PTR')).toBe(42);
  });

  it.each([
    { what: 'a second one', lines: 'hosts\nhosts', message: 'only be used once' },
    {
      what: 'a TTL of 0',
      lines: 'hosts {\nttl 0\n}',
      message: 'Corefile:3 - Error during parsing: ttl provided is invalid',
    },
    { what: 'a TTL beyond 65535', lines: 'hosts {\nttl 65536\n}', message: 'ttl provided is invalid' },
    { what: 'a TTL without a number', lines: 'hosts {\nttl\n}', message: 'ttl needs a time in second' },
    {
      what: 'a reload without a period',
      lines: 'hosts {\nreload\n}',
      message: 'reload needs a duration (zero seconds to disable)',
    },
    {
      what: 'a negative reload',
      lines: 'hosts {\nreload -1s\n}',
      message: "invalid duration for reload '-1s'",
    },
    { what: 'a reload without a unit', lines: 'hosts {\nreload 15\n}', message: 'missing unit in duration' },
    {
      what: 'no_reverse with a value',
      lines: 'hosts {\nno_reverse yes\n}',
      message: "line ending after 'yes'",
    },
    {
      what: 'a word that is no address',
      lines: 'hosts {\nttx 60\n}',
      message: "Corefile:3 - Error during parsing: unknown property 'ttx'",
    },
    {
      what: 'an address without a name',
      lines: 'hosts {\n10.0.0.1\n}',
      message: "unknown property '10.0.0.1'",
    },
    {
      what: 'an entry behind fallthrough',
      lines: 'hosts {\nfallthrough\n10.0.0.1 a\n}',
      message: "unknown property '10.0.0.1'",
    },
    {
      what: 'fallthrough_unsupported alone',
      lines: 'hosts {\nfallthrough_unsupported\n}',
      message: 'requires fallthrough',
    },
  ])('refuses $what', ({ lines, message }) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});

describe('hosts reads its file again', () => {
  const K3S = 'hosts NodeHosts {\nttl 60\nreload 15s\nfallthrough\n}';
  const path = join(directory, 'NodeHosts');

  it('when time or size have changed, and tells the caches which names have', async () => {
    const host = fakeHost({ directory });
    writeFileSync(path, '10.0.0.1 a same\n10.0.0.3 *.w\n');
    const handler = await start(K3S, host);
    expect(await answers(handler, 'a')).toEqual(['10.0.0.1']);
    host.changed.length = 0;
    writeFileSync(path, '10.0.0.2 a\n10.0.0.1 same\n10.0.0.4 *.w\n10.0.0.1 new\n');
    host.clock.pass(14_999);
    expect(await answers(handler, 'a')).toEqual(['10.0.0.1']);
    host.clock.pass(1);
    await vi.waitFor(async () => expect(await answers(handler, 'a')).toEqual(['10.0.0.2']), PATIENTLY);
    const reverse = ['1.0.0.10.in-addr.arpa.', '2.0.0.10.in-addr.arpa.'].map(name);
    expect([...host.changed].sort()).toEqual([...reverse, 'a.', 'new.', 'w.']);
    expect(await host.metric(`coredns_hosts_entries{hostsfile="${path}"}`)).toBe(7);
    utimesSync(path, 1_000_000, 1_000_000);
    await vi.waitFor(async () => {
      host.clock.pass(15_000);
      expect(await host.metric('coredns_hosts_reload_timestamp_seconds')).toBe(1_000_000);
    }, PATIENTLY);
  });

  it('keeps what it has when the file goes, and says so once', async () => {
    const host = fakeHost({ directory });
    writeFileSync(path, '10.0.0.1 a\n');
    const handler = await start(K3S, host);
    rmSync(path);
    await vi.waitFor(() => {
      host.clock.pass(15_000);
      expect(host.lines.filter((line) => line.startsWith('[WARNING]'))).toEqual([
        `[WARNING] File does not exist: ${path}`,
      ]);
    }, PATIENTLY);
    expect(await answers(handler, 'a')).toEqual(['10.0.0.1']);
  });

  it('never again with reload 0', async () => {
    const host = fakeHost({ directory });
    await start(`hosts ${FILE} {\nreload 0\n}`, host);
    expect(host.clock.pending).toBe(0);
  });

  it('says which lines are no entries, and takes the others', async () => {
    const host = fakeHost({ directory });
    writeFileSync(path, '10.0.0.1 a\nnonsense\n10.0.0.2\n10.0.0.3 b\n');
    const handler = await start('hosts NodeHosts', host);
    expect(await answers(handler, 'b')).toEqual(['10.0.0.3']);
    expect(host.lines).toContain(
      `[WARNING] Ignored 2 lines of ${path} that are not an address and names, the first is line 2`,
    );
  });

  it('takes a hundred thousand names of one address, and answers what a message holds of them', async () => {
    writeFileSync(path, Array.from({ length: 100_000 }, (_, i) => `0.0.0.0 ads${i}.example\n`).join(''));
    const handler = await start('hosts NodeHosts');
    expect(await answers(handler, 'ads99999.example')).toEqual(['0.0.0.0']);
    expect(await answers(handler, '0.0.0.0.in-addr.arpa', 'PTR')).toHaveLength(4095);
  }, 60_000);
});
