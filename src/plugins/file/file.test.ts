import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { OPCODE, RCODE } from '../../dns/codes.ts';
import type { Message } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Query } from '../../server/handler.ts';
import { formatRecordText } from '../../zonefile/record-text.ts';
import type { PluginInstance } from '../contract.ts';
import { type FakeHost, type FakeHostOptions, fakeHost, name, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';

/** Files and packets on a machine that may be busy. */
const PATIENTLY = { timeout: 15_000 };
const directory = mkdtempSync(join(tmpdir(), 'zerohop-file-'));
const started: PluginInstance[] = [];
afterEach(async () => {
  for (const instance of started.splice(0)) await instance.onShutdown?.();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Answers with rcode 42, which no plugin does. */
const next: Handler = () => ({ rcode: 42 });

let files = 0;
/** A file of its own for each test: the same inode may come back at once. */
function write(text: string, file = `db.${files++}`): string {
  writeFileSync(join(directory, 'new'), text);
  renameSync(join(directory, 'new'), join(directory, file));
  return file;
}

function zone(serial: number, rest = ''): string {
  return `$TTL 60\n@ SOA ns hostmaster ${serial} 7200 1800 1209600 30\n@ NS ns\nns A 192.0.2.53\n${rest}\n`;
}

interface Started {
  readonly host: FakeHost;
  readonly instance: PluginInstance;
  readonly run: (query: Query) => Promise<Message | number>;
}

async function start(lines: string, options: FakeHostOptions = {}): Promise<Started> {
  const host = fakeHost({ directory, ...options });
  const instance = setUp(setup, lines, { host });
  started.push(instance);
  await instance.onStart?.();
  const handler = instance.plugin?.(next);
  if (handler === undefined) throw new Error('file has no plugin');
  const run = async (query: Query) => {
    const { message, rcode } = await handler(query);
    return message ?? rcode;
  };
  return { host, instance, run };
}

function answers(reply: Message | number): readonly string[] | number {
  return typeof reply === 'number' ? reply : reply.answers.map(formatRecordText);
}

describe('file refuses', () => {
  it.each([
    { what: 'no file', lines: 'file', text: "Wrong argument count or unexpected line ending after 'file'" },
    {
      what: 'reload without a time',
      lines: 'file db { \n reload \n}',
      text: 'reload duration value is expected',
    },
    {
      what: 'reload without a unit',
      lines: 'file db { \n reload 5 \n}',
      text: 'time: missing unit in duration "5"',
    },
    { what: 'a negative reload', lines: 'file db { \n reload -5s \n}', text: 'time: invalid duration "-5s"' },
    { what: 'an unknown option', lines: 'file db { \n nosuch \n}', text: "unknown property 'nosuch'" },
    {
      what: 'an argument of reload_by_mtime',
      lines: 'file db { \n reload_by_mtime x \n}',
      text: "after 'x'",
    },
  ])('$what', ({ lines, text }) => {
    expect(() => setUp(setup, lines)).toThrow(text);
  });
});

describe('file does not start', () => {
  it.each([
    {
      what: 'a line that is no record',
      text: `${zone(1)}x A y\n`,
      reason: /db\.\d+:6: an IPv4 address is expected/,
    },
    { what: 'no SOA', text: '$TTL 5\n@ NS ns\n', reason: 'has no SOA record for origin example.test.' },
    {
      what: 'a SOA elsewhere',
      text: `${zone(1)}x SOA a b 1 2 3 4 5\n`,
      reason: "a SOA belongs to the zone's own name",
    },
    { what: 'two SOA records', text: zone(1) + zone(2), reason: 'two different SOA records' },
    { what: 'another class', text: `${zone(1)}x CH A 192.0.2.1\n`, reason: 'only class IN is served' },
    { what: 'NSEC3', text: `${zone(1)}@ NSEC3PARAM 1 0 0 -\n`, reason: 'NSEC3 zones are not supported' },
    {
      what: 'an included file that is missing',
      text: `${zone(1)}$INCLUDE nosuch\n`,
      reason: /db\.\d+:6: ENOENT/,
    },
    { what: 'nothing', text: '', reason: 'has no SOA record' },
  ])('with $what', async ({ text, reason }) => {
    await expect(start(`file ${write(text)} example.test`)).rejects.toThrow(reason);
  });

  it('with a device for a file, when nobody would look again', async () => {
    const started = start('file /dev/zero example.test { \n reload 0 \n }');
    await expect(started).rejects.toThrow('/dev/zero is not a regular file');
  });

  it('with a device that is included', async () => {
    const text = `${zone(1)}$INCLUDE /dev/zero\n`;
    await expect(start(`file ${write(text)} example.test`)).rejects.toThrow(
      '/dev/zero is not a regular file',
    );
  });

  it('without the file, when nobody would look again', async () => {
    await expect(start('file nosuch example.test { \n reload 0 \n }')).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    });
  });
});

describe('a zone file', () => {
  it('may be missing, and fails until it comes', async () => {
    const { host, run } = await start('file later example.test { \n reload 30s \n }');
    expect(host.lines).toEqual([
      expect.stringMatching(/^\[WARNING\] Failed to open ".*later": ENOENT.*: trying again in 30s$/),
    ]);
    expect(await run(ask('ns.example.test'))).toBe(RCODE.SERVFAIL);
    host.clock.pass(30_000);
    await vi.waitFor(() => expect(host.clock.pending).toBe(1), PATIENTLY);
    write(zone(1), 'later');
    host.clock.pass(30_000);
    await vi.waitFor(() => expect(host.changed).toEqual(['example.test.']), PATIENTLY);
    expect(answers(await run(ask('ns.example.test')))).toEqual(['ns.example.test. 60 IN A 192.0.2.53']);
    expect(host.lines).toHaveLength(2);
    expect(host.lines.at(-1)).toMatch(
      /^\[INFO\] Successfully reloaded zone "example.test." in ".*later" with 1 SOA serial$/,
    );
  });

  it('is another after its serial has changed, up or down', async () => {
    const file = write(zone(5));
    const { host, run } = await start(`file ${file} example.test`);
    for (const serial of [6, 4]) {
      write(zone(serial, `s${serial} A 192.0.2.1`), file);
      host.clock.pass(60_000);
      await vi.waitFor(() => expect(host.lines.at(-1)).toContain(`with ${serial} SOA serial`), PATIENTLY);
      expect(answers(await run(ask(`s${serial}.example.test`)))).toHaveLength(1);
      await vi.waitFor(() => expect(host.clock.pending).toBe(1), PATIENTLY);
    }
    expect(host.changed).toHaveLength(3);
  });

  it('stays in force when it breaks or goes, which is told once', async () => {
    const file = write(zone(1));
    const { host, run } = await start(`file ${file} example.test`);
    const look = async () => {
      const before = host.clock.started;
      host.clock.pass(60_000);
      await vi.waitFor(() => expect(host.clock.started).toBe(before + 1), PATIENTLY);
    };
    write(zone(2, 'x A y'), file);
    await look();
    await look();
    expect(host.lines).toEqual([
      expect.stringMatching(/^\[ERROR\] Parsing zone "example.test.": .*:5: an IPv4 address/),
    ]);
    rmSync(join(directory, file));
    await look();
    await look();
    expect(host.lines.slice(1)).toEqual([
      expect.stringMatching(/^\[ERROR\] Failed to open zone "example.test." in /),
    ]);
    expect(answers(await run(ask('ns.example.test')))).toHaveLength(1);
    expect(host.changed).toEqual(['example.test.']);
  });

  it('is looked at no more after the end', async () => {
    const { host, instance } = await start(`file ${write(zone(1))} example.test`);
    await instance.onShutdown?.();
    expect(host.clock.pending).toBe(0);
  });

  it('is read again when a file that it includes has changed, with reload_by_mtime', async () => {
    mkdirSync(join(directory, 'parts'), { recursive: true });
    write('a A 192.0.2.1', 'parts/one');
    const { host, run } = await start(
      `file ${write(zone(1, '$INCLUDE parts/one'))} example.test { \n reload_by_mtime \n }`,
    );
    write('b A 192.0.2.2', 'parts/one');
    host.clock.pass(60_000);
    await vi.waitFor(() => expect(host.changed).toHaveLength(2), PATIENTLY);
    expect(answers(await run(ask('b.example.test')))).toEqual(['b.example.test. 60 IN A 192.0.2.2']);
  });

  it('may hold oddities, which are told: a few of them by name', async () => {
    const odd = ['a CNAME b', 'a A 192.0.2.1', ...[1, 2, 3, 4].map((i) => `x${i}.other. A 192.0.2.${i}`)];
    const { host, run } = await start(`file ${write(zone(1, odd.join('\n')))} example.test`);
    expect(host.lines).toHaveLength(1);
    expect(host.lines[0]).toMatch(
      /a\.example\.test\. has a CNAME beside other records.*x1\.other\. is not in the zone.*and 2 more$/,
    );
    expect(answers(await run(ask('a.example.test')))).toEqual([
      'a.example.test. 60 IN CNAME b.example.test.',
    ]);
  });
});

describe('an alias that leads out of the zone', () => {
  const text = zone(1, 'out CNAME www.other.test.');
  const reply = (rcode: number, extra: Partial<Message>) => async (query: Query) => ({
    ...replyTo(query.message, { rcode }),
    ...extra,
  });
  const soa = record('other.test. 60 SOA');
  it.each([
    {
      what: 'an answer',
      resolve: reply(0, { answers: [record('www.other.test. 9 A 192.0.2.9')] }),
      rcode: 0,
      count: 2,
      authority: 'NS',
    },
    { what: 'nobody', resolve: async () => undefined, rcode: 0, count: 1, authority: 'NS' },
    { what: 'no such name', resolve: reply(3, { authorities: [soa] }), rcode: 3, count: 1, authority: 'SOA' },
    { what: 'no such type', resolve: reply(0, { authorities: [soa] }), rcode: 0, count: 1, authority: 'SOA' },
    { what: 'a failure', resolve: reply(2, {}), rcode: 2, count: 1, authority: 'NS' },
    { what: 'a refusal', resolve: reply(5, {}), rcode: 0, count: 1, authority: 'NS' },
  ])('is followed: $what', async ({ resolve, rcode, count, authority }) => {
    const { run } = await start(`file ${write(text)} example.test`, { resolve });
    const found = await run(ask('out.example.test'));
    expect(found).toMatchObject({ rcode, flags: { authoritative: true } });
    expect(answers(found)).toHaveLength(count);
    const authorities = typeof found === 'number' ? [] : found.authorities.map(formatRecordText);
    expect(authorities).toEqual([expect.stringContaining(` IN ${authority} `)]);
  });
});

describe('DS at the top of a zone', () => {
  const DS = '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118';
  it('comes from the parent zone when that is here, and is denied when it is not', async () => {
    const parent = write(zone(1, `sub NS ns\nsub DS ${DS}`));
    const child = write(zone(2));
    const both = await start(`file ${parent} example.test\n file ${child} sub.example.test`);
    expect(answers(await both.run(ask('sub.example.test', 'DS')))).toEqual([
      expect.stringMatching(/^sub\.example\.test\. 60 IN DS 60485 5 1 /),
    ]);
    expect(answers(await both.run(ask('ns.sub.example.test')))).toHaveLength(1);
    const alone = await start(`file ${child} sub.example.test`);
    expect(await alone.run(ask('sub.example.test', 'DS'))).toMatchObject({ rcode: 0, answers: [] });
  });
});

describe('file hands on', () => {
  it.each([
    { what: 'a name of no zone', query: ask('www.other.test') },
    { what: 'another class', query: ask('ns.example.test', 'A', { class: 3 }) },
  ])('$what', async ({ query }) => {
    const { run, instance } = await start(`file ${write(zone(1))} example.test`);
    expect(await run(query)).toBe(42);
    expect(instance.handles?.(name('www.other.test.'), 1)).toBe(false);
    expect(instance.handles?.(name('www.Example.test.'), 1)).toBe(true);
  });

  it('neither zones nor their changes without transfer', async () => {
    const { run } = await start(`file ${write(zone(1))} example.test`);
    const notify = ask('example.test', 'SOA');
    for (const query of [
      ask('example.test', 'AXFR', { transport: 'tcp' }),
      ask('example.test', 'IXFR'),
      { ...notify, message: { ...notify.message, opcode: OPCODE.NOTIFY } },
    ])
      expect(await run(query)).toBe(RCODE.REFUSED);
  });
});

describe('a zone as a whole', () => {
  it('starts and ends with its SOA and holds everything once', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => `h${i} TXT "${'x'.repeat(100)}"`).join('\n');
    const { instance } = await start(
      `file ${write(zone(7, `${many}\nsub NS ns.sub\nns.sub A 192.0.2.1`))} example.test`,
    );
    const batches = [...(instance.transfer?.(name('Example.test.'), undefined) ?? [])];
    const records = batches.flat().map(formatRecordText);
    expect(records).toHaveLength(1 + 2 + 2000 + 2 + 1);
    expect(records[0]).toContain(' SOA ');
    expect(records.at(-1)).toBe(records[0]);
    expect(new Set(records).size).toBe(records.length - 1);
    for (const batch of batches) expect(batch.length).toBeLessThan(200);
  });

  it.each([
    { since: 7, count: 1 },
    { since: 8, count: 1 },
    { since: 6, count: 4 },
    { since: 7 + 2 ** 31 - 1, count: 1 },
    { since: 2 ** 32 - 1, count: 4 },
  ])('since serial $since: $count records', async ({ since, count }) => {
    const { instance } = await start(`file ${write(zone(7))} example.test`);
    expect([...(instance.transfer?.(name('example.test.'), since) ?? [])].flat()).toHaveLength(count);
  });

  it('is there for the name of the zone only', async () => {
    const { instance } = await start(`file ${write(zone(7))} example.test`);
    expect(instance.transfer?.(name('ns.example.test.'), undefined)).toBeUndefined();
    expect(instance.transfer?.(name('other.test.'), undefined)).toBeUndefined();
  });
});
