import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Message, ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { replyTo } from '../../dns/reply.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { preferring } from './prefer.ts';
import { setup } from './setup.ts';
import { parseWeights } from './weights.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-weights-'));
afterAll(() => rmSync(directory, { recursive: true }));

const A = (address: string) => record(`www.example. 30 A ${address}`);
const FIRST = A('192.0.2.1');
const SECOND = A('192.0.2.2');
const THIRD = A('192.0.2.3');
const AAAA = record('www.example. 30 AAAA 2001:db8::1');
const CNAME = record('alias.example. 30 CNAME www.example.');
const TXT = record('www.example. 30 TXT hello');

describe('parseWeights', () => {
  it('reads names, addresses, weights and comments', () => {
    const text =
      '# of today\n\nWWW.example\n192.0.2.1 3\n 2001:db8::1\t255 \r\nother.example.\n192.0.2.1 1\n';
    const parsed = parseWeights(text, 'w');
    expect(parsed.ok && [...parsed.value].map(([name, each]) => [name, [...each]])).toEqual([
      [
        'www.example.',
        [
          ['192.0.2.1', 3],
          ['2001:db8::1', 255],
        ],
      ],
      ['other.example.', [['192.0.2.1', 1]]],
    ]);
  });

  it('adds up the lines of a name that stands twice', () => {
    const parsed = parseWeights('a\n192.0.2.1 3\nb\n192.0.2.9 9\nA.\n192.0.2.2 2\n192.0.2.1 7\n', 'w');
    expect(parsed.ok && [...parsed.value].map(([name, each]) => [name, [...each]])).toEqual([
      [
        'a.',
        [
          ['192.0.2.1', 3],
          ['192.0.2.2', 2],
        ],
      ],
      ['b.', [['192.0.2.9', 9]]],
    ]);
  });

  it.each([
    ['an address without a weight', 'a\n192.0.2.1', 'wrong domain name:"192.0.2.1" in weight file w'],
    ['an address without a name', '192.0.2.1 3', 'missing domain name in weight file w'],
    ['a word that is no address', 'a\n192.0.2 3', 'wrong IP address:"192.0.2"'],
    ['the weight 0', 'a\n192.0.2.1 0', 'wrong weight value:"0"'],
    ['the weight 256', 'a\n192.0.2.1 256', 'wrong weight value:"256"'],
    ['a negative weight', 'a\n192.0.2.1 -1', 'wrong weight value:"-1"'],
    ['a word as weight', 'a\n192.0.2.1 much', 'wrong weight value:"much"'],
    ['a third word', 'a\n192.0.2.1 3 4', 'could not parse weight line:"192.0.2.1 3 4"'],
    ['a name that is none', 'a..b\n192.0.2.1 3', 'wrong domain name:"a..b"'],
  ])('refuses %s', (_case, text, reason) => {
    const parsed = parseWeights(text, 'w');
    expect(parsed.ok ? undefined : parsed.reason).toContain(reason);
  });
});

describe('preferring', () => {
  it.each<[string, string[], ResourceRecord[], ResourceRecord[]]>([
    ['one network', ['192.0.2.2/32'], [FIRST, SECOND, THIRD], [SECOND, FIRST, THIRD]],
    [
      'networks in their order',
      ['192.0.2.3/32', '192.0.2.2/32'],
      [FIRST, SECOND, THIRD],
      [THIRD, SECOND, FIRST],
    ],
    ['a network of both', ['192.0.2.2/31'], [FIRST, THIRD, SECOND], [THIRD, SECOND, FIRST]],
    ['IPv6', ['2001:db8::/32'], [FIRST, AAAA], [AAAA, FIRST]],
    [
      'other records, which stay in place',
      ['192.0.2.2/32'],
      [CNAME, FIRST, TXT, SECOND],
      [CNAME, SECOND, TXT, FIRST],
    ],
    [
      'overlapping networks, of which the first counts',
      ['192.0.2.2/32', '192.0.2.0/24'],
      [FIRST, SECOND],
      [SECOND, FIRST],
    ],
  ])('puts first what is in %s', (_case, networks, before, after) => {
    const prefixes = networks.map((text) => {
      const [address = '', length] = text.split('/');
      return {
        address: recordAddress(address.includes(':') ? record(`a. 1 AAAA ${address}`) : A(address)),
        length: Number(length),
      };
    });
    const known = prefixes.flatMap(({ address, length }) =>
      address === undefined ? [] : [{ address, length }],
    );
    expect(preferring(before, known)).toEqual(after);
  });

  it('gives back the same list when nothing is to be done', () => {
    const records = [CNAME, FIRST, SECOND];
    expect(preferring(records, [])).toBe(records);
  });
});

async function answered(
  lines: string,
  {
    draw,
    answers,
    qtype = 'A',
    host,
  }: { draw: number; answers: ResourceRecord[]; qtype?: string; host?: ReturnType<typeof fakeHost> },
): Promise<Message | undefined> {
  const used = host ?? fakeHost({ directory, random: () => draw });
  const instance = setUp(setup, lines, { host: used });
  await instance.onStart?.();
  const reply = await instance.plugin?.((query) => ({
    rcode: 0,
    message: replyTo(query.message, { answers }),
  }))(ask('www.example.', qtype));
  await instance.onShutdown?.();
  return reply?.message;
}

describe('loadbalance weighted', () => {
  writeFileSync(join(directory, 'weights'), 'www.example\n192.0.2.1 3\n192.0.2.2 1\n192.0.2.3 2\n');

  // The weights 3, 1 and 2 share the draws among them: up to 1/2, up to 2/3, and the rest.
  it.each([
    [0, [FIRST, SECOND, THIRD]],
    [0.49, [FIRST, SECOND, THIRD]],
    [0.51, [SECOND, FIRST, THIRD]],
    [0.66, [SECOND, FIRST, THIRD]],
    [0.67, [THIRD, SECOND, FIRST]],
    [0.999, [THIRD, SECOND, FIRST]],
  ])('draws by weight: %d', async (draw, expected) => {
    const message = await answered('loadbalance weighted weights', { draw, answers: [FIRST, SECOND, THIRD] });
    expect(message?.answers).toEqual(expected);
  });

  it('counts addresses that the file does not name as 1', async () => {
    const other = A('192.0.2.4');
    // 192.0.2.2 and 192.0.2.4 share the draws evenly.
    const low = await answered('loadbalance weighted weights', { draw: 0.49, answers: [SECOND, other] });
    const high = await answered('loadbalance weighted weights', { draw: 0.51, answers: [SECOND, other] });
    expect([low?.answers, high?.answers]).toEqual([
      [SECOND, other],
      [other, SECOND],
    ]);
  });

  it('puts CNAMEs first, and leaves other types of queries alone', async () => {
    const lines = 'loadbalance weighted weights';
    const aliased = await answered(lines, { draw: 0.9, answers: [FIRST, CNAME, THIRD] });
    expect(aliased?.answers).toEqual([CNAME, THIRD, FIRST]);
    const texts = await answered(lines, { draw: 0.9, answers: [FIRST, THIRD], qtype: 'TXT' });
    expect(texts?.answers).toEqual([FIRST, THIRD]);
  });

  it('goes with prefer, which has the last word', async () => {
    const lines = 'loadbalance weighted weights {\nprefer 192.0.2.2/32\nreload 0s\n}';
    const message = await answered(lines, { draw: 0.9, answers: [FIRST, SECOND, THIRD] });
    expect(message?.answers).toEqual([SECOND, THIRD, FIRST]);
  });

  it('looks at the file again, keeps what it has when it goes wrong, and says so once', async () => {
    const host = fakeHost({ directory, random: () => 0.6 });
    const path = join(directory, 'changing');
    const instance = setUp(setup, 'loadbalance weighted changing {\nreload 10s\n}', { host });
    await instance.onStart?.();
    expect(host.lines).toEqual([`[WARNING] Failed to open weight file:${path}. Will try again in 10s`]);
    const turn = async () => {
      const before = host.clock.started;
      host.clock.pass(10_000);
      await expect.poll(() => host.clock.started).toBeGreaterThan(before);
    };
    writeFileSync(path, 'www.example\n192.0.2.1 1\n192.0.2.2 255\n');
    await turn();
    expect(host.lines.at(-1)).toBe(`[INFO] Successfully reloaded weight file ${path}`);
    writeFileSync(path, 'www.example\n192.0.2.1\n');
    await turn();
    await turn();
    expect(host.lines.filter((line) => line.startsWith('[ERROR] wrong domain name'))).toHaveLength(1);
    const handler = instance.plugin?.((query) => ({
      rcode: 0,
      message: replyTo(query.message, { answers: [FIRST, SECOND] }),
    }));
    expect((await handler?.(ask('www.example.')))?.message?.answers).toEqual([SECOND, FIRST]);
    await instance.onShutdown?.();
    expect(host.clock.pending).toBe(0);
  });

  it.each([
    {
      name: 'a missing file that is never looked for again',
      text: undefined,
      says: /weight file open error/,
    },
    {
      name: 'a wrong file',
      text: 'www.example\n192.0.2.1 many\n',
      says: /Corefile:2 .* wrong weight value:"many"/,
    },
  ])('does not start with $name', async ({ text, says }) => {
    if (text !== undefined) writeFileSync(join(directory, 'wrong'), text);
    const file = text === undefined ? 'missing' : 'wrong';
    const instance = setUp(setup, `loadbalance weighted ${file} {\nreload 0s\n}`, {
      host: fakeHost({ directory }),
    });
    await expect(instance.onStart?.()).rejects.toThrow(says);
  });

  it('keeps packet threads from answering, unlike plain round_robin', () => {
    expect(setUp(setup, 'loadbalance weighted weights').replay).toBeUndefined();
    expect(setUp(setup, 'loadbalance {\nprefer 10.0.0.0/8\n}').replay).toBeUndefined();
    expect(setUp(setup, 'loadbalance').replay).toEqual({ does: 'shuffle' });
  });
});
