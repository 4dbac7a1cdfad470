import { describe, expect, it } from 'vitest';
import type { ResourceRecord } from '../../dns/message.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { formatRecordText, parseRecordText } from '../../zonefile/record-text.ts';
import { fakeHost, name, setUp } from '../fake-host.ts';
import { type AskOptions, ask } from '../fake-query.ts';
import { setup } from './setup.ts';

function record(text: string): ResourceRecord {
  const parsed = parseRecordText(text, { origin: name('.'), defaultTtlSeconds: 300 });
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`);
  return parsed.value;
}

interface Case extends AskOptions {
  readonly rules: string;
  readonly qname: string;
  readonly qtype?: string;
  /** What the plugins behind answer with; by default nothing. */
  readonly answers?: readonly string[];
  readonly rcode?: number;
}

interface Run {
  /** What arrived behind, undefined when nothing did. */
  readonly seen: Query | undefined;
  readonly reply: Reply;
  readonly answers: readonly string[];
}

async function run({ rules, qname, qtype, answers = [], rcode = 0, ...from }: Case): Promise<Run> {
  let seen: Query | undefined;
  const next = (query: Query): Reply => {
    seen = query;
    return { rcode, message: replyTo(query.message, { rcode, answers: answers.map(record) }) };
  };
  const { plugin } = setUp(setup, rules, { host: fakeHost() });
  const reply = await plugin?.(next)(ask(qname, qtype, from));
  if (reply === undefined) throw new Error('rewrite has no plugin');
  return { seen, reply, answers: (reply.message?.answers ?? []).map(formatRecordText) };
}

describe('rewrite name asks for another name', () => {
  it.each([
    {
      what: 'the whole name',
      rules: 'rewrite name a.example b.example',
      qname: 'a.example',
      asks: 'b.example.',
    },
    {
      what: 'the whole name in any case',
      rules: 'rewrite name exact A.Example. B.Example',
      qname: 'a.EXAMPLE',
      asks: 'b.example.',
    },
    {
      what: 'nothing but the whole name',
      rules: 'rewrite name exact a.example b.example',
      qname: 'x.a.example',
      asks: 'x.a.example.',
    },
    { what: 'a beginning', rules: 'rewrite name prefix a. b.', qname: 'a.example', asks: 'b.example.' },
    {
      what: 'no beginning in the middle',
      rules: 'rewrite name prefix a. b.',
      qname: 'x.a.example',
      asks: 'x.a.example.',
    },
    {
      what: 'an end',
      rules: 'rewrite name suffix .a.example .b.example',
      qname: 'x.y.a.example',
      asks: 'x.y.b.example.',
    },
    {
      what: 'an end that is no whole label',
      rules: 'rewrite name suffix ample amber',
      qname: 'a.example',
      asks: 'a.examber.',
    },
    {
      what: 'no end in the middle',
      rules: 'rewrite name suffix a.example b.example',
      qname: 'a.example.org',
      asks: 'a.example.org.',
    },
    { what: 'every place', rules: 'rewrite name substring a bb', qname: 'a.aa', asks: 'bb.bbbb.' },
    {
      what: 'a pattern anywhere',
      rules: 'rewrite name regex svc c.example',
      qname: 'x.svc.y',
      asks: 'c.example.',
    },
    {
      what: 'groups',
      rules: 'rewrite name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul',
      qname: 'ftp-us-west-1.example.org',
      asks: 'ftp.service.us-west-1.consul.',
    },
    { what: 'the whole match', rules: 'rewrite name regex ^(.*)\\.$ {0}x', qname: 'a.b', asks: 'a.b.x.' },
    {
      what: 'a pattern over the lower case',
      rules: 'rewrite name regex ^a\\. b.{0}',
      qname: 'A.x',
      asks: 'b.a.',
    },
    { what: 'the first rule only', rules: 'rewrite name a. b.\nrewrite name b. c.', qname: 'a', asks: 'b.' },
    {
      what: 'a rule behind one that did not match',
      rules: 'rewrite name x. y.\nrewrite name a. c.',
      qname: 'a',
      asks: 'c.',
    },
    {
      what: 'rule after rule with continue',
      rules: 'rewrite continue name a. b.\nrewrite name b. c.\nrewrite name c. d.',
      qname: 'a',
      asks: 'c.',
    },
    { what: 'a block', rules: 'rewrite stop {\nname a. b.\n}', qname: 'a', asks: 'b.' },
    { what: 'words in capitals', rules: 'rewrite STOP NAME EXACT a. b.', qname: 'a', asks: 'b.' },
  ])('$what', async ({ rules, qname, asks }) => {
    const { seen, reply } = await run({ rules, qname });
    expect(seen?.question.name).toBe(seen?.message.questions[0]?.name);
    expect(seen?.question.name.toLowerCase()).toBe(asks);
    expect(reply.message?.questions[0]?.name).toBe(name(qname));
  });

  it('leaves queries that match nothing untouched', async () => {
    const { plugin } = setUp(setup, 'rewrite name a. b.');
    const query = ask('c.');
    const reply: Reply = { rcode: 0 };
    expect(plugin?.((same) => (same === query ? reply : { rcode: 1 }))(query)).toBe(reply);
  });

  it.each([
    { what: 'an empty label', rules: 'rewrite name substring a .', qname: 'a.b', invalid: '..b.' },
    {
      what: 'a label of 64 bytes',
      rules: `rewrite name prefix a ${'b'.repeat(64)}`,
      qname: 'a',
      invalid: `${'b'.repeat(64)}.`,
    },
  ])('fails when the result has $what', async ({ rules, qname, invalid }) => {
    const { seen, reply } = await run({ rules, qname });
    expect(seen).toBeUndefined();
    expect(reply).toEqual({ rcode: 2, error: new Error(`invalid name after rewrite: ${invalid}`) });
  });
});

describe('rewrite name changes the answer', () => {
  const GARDENER = String.raw`rewrite stop {
    name regex (^(?:[^\.]+\.)+svc\.foo\.bar)\.foo\.bar {1}
    answer name (^(?:[^\.]+\.)+svc\.foo\.bar) {1}.foo.bar
    answer value (^(?:[^\.]+\.)+svc\.foo\.bar) {1}.foo.bar
  }`;
  it.each([
    {
      what: 'exact: owners and data, below the name too',
      rules: 'rewrite name a.example b.example',
      qname: 'a.example',
      behind: [
        'b.example. 300 IN CNAME x.b.example.',
        'x.b.example. 300 IN A 10.0.0.1',
        'ab.example. 300 IN A 10.0.0.2',
      ],
      shows: [
        'a.example. 300 IN CNAME x.a.example.',
        'x.a.example. 300 IN A 10.0.0.1',
        'ab.example. 300 IN A 10.0.0.2',
      ],
    },
    {
      what: 'exact: an owner in capitals',
      rules: 'rewrite name a.example b.example',
      qname: 'a.example',
      behind: ['B.Example. 300 IN A 10.0.0.1'],
      shows: ['a.example. 300 IN A 10.0.0.1'],
    },
    {
      what: 'suffix without answer: nothing',
      rules: 'rewrite name suffix .a.example .b.example',
      qname: 'x.a.example',
      behind: ['x.b.example. 300 IN A 10.0.0.1'],
      shows: ['x.b.example. 300 IN A 10.0.0.1'],
    },
    {
      what: 'suffix with answer auto: ends are exchanged, in data too',
      rules: 'rewrite name suffix .a.example .b.example answer auto',
      qname: 'x.a.example',
      behind: ['x.b.example. 300 IN SRV 0 10 53 y.b.example.', 'y.b.example. 300 IN A 10.0.0.1'],
      shows: ['x.a.example. 300 IN SRV 0 10 53 y.a.example.', 'y.a.example. 300 IN A 10.0.0.1'],
    },
    {
      what: 'regex with answer auto: the name that was asked comes back',
      rules: 'rewrite name regex ^x[0-9]+\\.a\\.$ x.a answer auto',
      qname: 'x12.a',
      behind: ['x.a. 300 IN A 10.0.0.1', 'y.x.a. 300 IN A 10.0.0.2', 'yx.a. 300 IN A 10.0.0.3'],
      shows: ['x12.a. 300 IN A 10.0.0.1', 'y.x12.a. 300 IN A 10.0.0.2', 'yx.a. 300 IN A 10.0.0.3'],
    },
    {
      what: 'prefix with answer auto',
      rules: 'rewrite name prefix a. b. answer auto',
      qname: 'a.example',
      behind: ['b.example. 300 IN A 10.0.0.1'],
      shows: ['a.example. 300 IN A 10.0.0.1'],
    },
    {
      what: 'answer name on one line',
      rules: String.raw`rewrite stop name regex (.*)-(us-west-1)\.coredns\.rocks {1}.service.{2}.consul answer name (.*)\.service\.(us-west-1)\.consul {1}-{2}.coredns.rocks`,
      qname: 'ftp-us-west-1.coredns.rocks',
      behind: ['ftp.service.us-west-1.consul. 0 IN A 10.10.10.10'],
      shows: ['ftp-us-west-1.coredns.rocks. 0 IN A 10.10.10.10'],
    },
    {
      what: "gardener's block",
      rules: GARDENER,
      qname: 'web.ns.svc.foo.bar.foo.bar',
      behind: [
        'web.ns.svc.foo.bar. 30 IN CNAME other.ns.svc.foo.bar.',
        'other.ns.svc.foo.bar. 30 IN A 10.0.0.1',
      ],
      shows: [
        'web.ns.svc.foo.bar.foo.bar. 30 IN CNAME other.ns.svc.foo.bar.foo.bar.',
        'other.ns.svc.foo.bar.foo.bar. 30 IN A 10.0.0.1',
      ],
    },
    {
      what: 'answer value: every type whose data is a name, and no other name in it',
      rules: 'rewrite name suffix a b answer value ^(.*)b\\.$ {1}a',
      qname: 'x.a',
      behind: [
        'o. 1 IN CNAME x.b.',
        'o. 1 IN DNAME x.b.',
        'o. 1 IN SOA x.b. m.b. 1 2 3 4 5',
        'o. 1 IN SRV 1 2 3 x.b.',
        'o. 1 IN MX 5 x.b.',
        'o. 1 IN NAPTR 1 2 "u" "s" "" x.b.',
        'o. 1 IN NS x.b.',
        'o. 1 IN PTR x.b.',
        'o. 1 IN TXT "x.b."',
      ],
      shows: [
        'o. 1 IN CNAME x.a.',
        'o. 1 IN DNAME x.a.',
        'o. 1 IN SOA x.a. m.b. 1 2 3 4 5',
        'o. 1 IN SRV 1 2 3 x.a.',
        'o. 1 IN MX 5 x.a.',
        'o. 1 IN NAPTR 1 2 "u" "s" "" x.a.',
        'o. 1 IN NS x.a.',
        'o. 1 IN PTR x.a.',
        'o. 1 IN TXT "x.b."',
      ],
    },
    {
      what: 'rules undo their steps in reverse',
      rules: 'rewrite continue name a. b.\nrewrite name b. c.',
      qname: 'a',
      behind: ['c. 1 IN A 10.0.0.1'],
      shows: ['a. 1 IN A 10.0.0.1'],
    },
  ])('$what', async ({ rules, qname, behind, shows }) => {
    const { answers, reply } = await run({ rules, qname, answers: behind });
    expect(answers).toEqual(shows);
    expect(reply.message?.questions).toMatchObject([{ name: name(qname) }]);
  });

  it('in the other sections too', async () => {
    const { plugin } = setUp(setup, 'rewrite name a. b.');
    const content = { authorities: [record('b. 1 NS x.b.')], additionals: [record('x.b. 1 A 10.0.0.1')] };
    const reply = await plugin?.((query) => ({ rcode: 0, message: replyTo(query.message, content) }))(
      ask('a'),
    );
    expect(reply?.message?.authorities.map(formatRecordText)).toEqual(['a. 1 IN NS x.a.']);
    expect(reply?.message?.additionals.map(formatRecordText)).toEqual(['x.a. 1 IN A 10.0.0.1']);
  });
});

describe('rewrite changes what is asked', () => {
  it('by type and class, and restores the question', async () => {
    const typed = await run({ rules: 'rewrite type any HINFO', qname: 'a', qtype: 'ANY' });
    expect(typed.seen?.question.type).toBe(13);
    expect(typed.reply.message?.questions[0]?.type).toBe(255);
    const classed = await run({ rules: 'rewrite class CH IN', qname: 'a', class: 3 });
    expect(classed.seen?.question.class).toBe(1);
    expect(classed.reply.message?.questions[0]?.class).toBe(3);
    const other = await run({ rules: 'rewrite type ANY HINFO', qname: 'a' });
    expect(other.seen?.question.type).toBe(1);
  });

  it('in the bytes as well', async () => {
    const { seen } = await run({ rules: 'rewrite name a. bcd.', qname: 'a' });
    expect(Buffer.from(seen?.wire ?? []).includes('\x03bcd\0')).toBe(true);
  });
});

describe('rewrite ttl', () => {
  it.each([
    { range: '15', ttl: 300, becomes: 15 },
    { range: '0', ttl: 300, becomes: 0 },
    { range: '30-60', ttl: 300, becomes: 60 },
    { range: '30-60', ttl: 5, becomes: 30 },
    { range: '30-60', ttl: 45, becomes: 45 },
    { range: '-60', ttl: 300, becomes: 60 },
    { range: '-60', ttl: 5, becomes: 5 },
    { range: '400-', ttl: 300, becomes: 400 },
    { range: '400-', ttl: 500, becomes: 500 },
  ])('$range makes $becomes of $ttl', async ({ range, ttl, becomes }) => {
    const { answers } = await run({
      rules: `rewrite continue {\nttl regex (.*)\\.rocks\\. ${range}\n}`,
      qname: 'a.rocks',
      answers: [`a.rocks. ${ttl} IN A 10.0.0.1`],
    });
    expect(answers).toEqual([`a.rocks. ${becomes} IN A 10.0.0.1`]);
  });

  it('leaves other names alone', async () => {
    const { answers } = await run({
      rules: 'rewrite ttl a. 5',
      qname: 'b',
      answers: ['b. 300 IN A 10.0.0.1'],
    });
    expect(answers).toEqual(['b. 300 IN A 10.0.0.1']);
  });
});

describe('rewrite rcode', () => {
  it.each([
    { rules: 'rewrite rcode a. SERVFAIL NXDOMAIN', qname: 'a', rcode: 2, becomes: 3 },
    { rules: 'rewrite rcode suffix .example 2 3', qname: 'b.example', rcode: 2, becomes: 3 },
    { rules: 'rewrite rcode a. SERVFAIL NXDOMAIN', qname: 'a', rcode: 5, becomes: 5 },
    { rules: 'rewrite rcode a. SERVFAIL NXDOMAIN', qname: 'b', rcode: 2, becomes: 2 },
  ])('$rules makes $becomes of $rcode for $qname', async ({ rules, qname, rcode, becomes }) => {
    const { reply } = await run({ rules, qname, rcode });
    expect([reply.rcode, reply.message?.rcode]).toEqual([becomes, becomes]);
  });

  it('works on answers that no plugin wrote', async () => {
    const { plugin } = setUp(setup, 'rewrite rcode a. SERVFAIL NXDOMAIN');
    expect(await plugin?.(() => ({ rcode: 2 }))(ask('a'))).toMatchObject({ rcode: 3, message: { rcode: 3 } });
  });
});

describe('rewrite cname', () => {
  it.each([
    { rules: 'rewrite cname old.example new.example', target: 'new.example.' },
    { rules: 'rewrite cname exact OLD.example. new.example', target: 'new.example.' },
    { rules: 'rewrite cname prefix old. very.old.', target: 'very.old.example.' },
    { rules: 'rewrite cname suffix example test', target: 'old.test.' },
    { rules: 'rewrite cname substring ld dd', target: 'odd.example.' },
    { rules: 'rewrite cname regex ^(.*)\\.example\\.$ {1}.test', target: 'old.test.' },
  ])('$rules leads to $target', async ({ rules, target }) => {
    const resolved: string[] = [];
    const host = fakeHost({
      resolve: async (query, to) => {
        resolved.push(to);
        return replyTo(query.message, { answers: [record(`${to} 7 A 10.0.0.9`)] });
      },
    });
    const behind = ['a. 60 CNAME b.', 'b. 60 CNAME old.example.', 'old.example. 60 A 10.0.0.1'].map(record);
    const { plugin } = setUp(setup, rules, { host });
    const reply = await plugin?.((query) => ({
      rcode: 0,
      message: replyTo(query.message, { answers: behind }),
    }))(ask('a'));
    expect(resolved).toEqual([target]);
    expect(reply?.message?.answers.map(formatRecordText)).toEqual([
      'a. 60 IN CNAME b.',
      `b. 60 IN CNAME ${target}`,
      `${target} 7 IN A 10.0.0.9`,
    ]);
  });

  it('leaves answers alone that lead elsewhere', async () => {
    const behind = ['a. 60 IN CNAME b.', 'b. 60 IN A 10.0.0.1'];
    expect((await run({ rules: 'rewrite cname c. d.', qname: 'a', answers: behind })).answers).toEqual(
      behind,
    );
  });
});
