import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalName } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Handler, Reply } from '../../server/handler.ts';
import { formatRecordText, parseRecordText } from '../../zonefile/record-text.ts';
import { type FakeHost, fakeHost, setUp } from '../fake-host.ts';
import { type AskOptions, ask } from '../fake-query.ts';
import { setup } from './setup.ts';

/** Answers with rcode 42, which no plugin does. */
const next: Handler = () => ({ rcode: 42 });

async function run(
  lines: string,
  {
    qname,
    qtype = 'A',
    host = fakeHost(),
    ...options
  }: AskOptions & { qname: string; qtype?: string; host?: FakeHost },
): Promise<Reply> {
  const { plugin } = setUp(setup, lines, { host });
  const reply = await plugin?.(next)(ask(qname, qtype, options));
  if (reply === undefined) throw new Error('template has no plugin');
  return reply;
}

function records(reply: Reply, section: 'answers' | 'authorities' | 'additionals' = 'answers'): string[] {
  return (reply.message?.[section] ?? []).map(formatRecordText);
}

const IP = `template IN A example {
  match (^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
  answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
  fallthrough
}`;
const HEX = `template IN A example {
  match "^ip0a(?P<b>[a-f0-9]{2})(?P<c>[a-f0-9]{2})(?P<d>[a-f0-9]{2})[.]example[.]$"
  answer "{{ .Name }} 60 IN A 10.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.{{ parseInt .Group.d 16 8 }}"
}`;
const PTR = `template IN PTR in-addr.arpa {
  match ^(?P<d>[0-9]*)[.](?P<c>[0-9]*)[.](?P<b>[0-9]*)[.](?P<a>[0-9]*)[.]in-addr[.]arpa[.]$
  answer "{{ .Name }} 60 IN PTR ip-{{ .Group.a }}-{{ .Group.b }}-{{ .Group.c }}-{{ .Group.d }}.example."
}`;

describe('template answers', () => {
  it.each([
    {
      what: 'with named groups',
      lines: IP,
      qname: 'a.IP-10-0-0-7.example',
      answers: ['a.ip-10-0-0-7.example. 60 IN A 10.0.0.7'],
    },
    {
      what: 'with parsed numbers',
      lines: HEX,
      qname: 'ip0a7b7b7b.example',
      answers: ['ip0a7b7b7b.example. 60 IN A 10.123.123.123'],
    },
    {
      what: 'reverse names',
      lines: PTR,
      qname: '7.0.0.10.in-addr.arpa',
      qtype: 'PTR',
      answers: ['7.0.0.10.in-addr.arpa. 60 IN PTR ip-10-0-0-7.example.'],
    },
    {
      what: 'with groups by number',
      lines:
        'template IN A example {\nmatch ^(a)(b)?\\.\nanswer "{{ .Name }} IN TXT {{ index .Match 1 }} {{ index .Group "1" }} \'{{ index .Match 2 }}\'"\n}'.replaceAll(
          '"1"',
          '\\"1\\"',
        ),
      qname: 'a.example',
      answers: [`a.example. 3600 IN TXT "a" "a" "''"`],
    },
    {
      what: 'with what is known of the query',
      lines:
        'template ANY ANY {\nanswer "{{ .Zone }} 1 {{ .Class }} TXT {{ .Type }} {{ .Remote }} {{ .Question.Name }} {{ .Question.Qtype }} {{ .Message.Id }} {{ .Message.RecursionDesired }}"\n}',
      qname: 'X.y',
      qtype: 'MX',
      answers: ['. 1 IN TXT "MX" "10.0.0.1" "X.y." "15" "4711" "true"'],
    },
    {
      what: 'several records of several lines',
      lines:
        'template IN NS a {\nanswer "a 900 IN NS ns1.a" "a 900 IN NS ns2.a"\nanswer "a 900 IN NS ns3.a"\n}',
      qname: 'a',
      qtype: 'NS',
      answers: ['a. 900 IN NS ns1.a.', 'a. 900 IN NS ns2.a.', 'a. 900 IN NS ns3.a.'],
    },
    {
      what: 'without a record where a template says nothing',
      lines: 'template IN A {\nanswer "{{ if eq .Name `b.` }}b 1 IN A 10.0.0.1{{ end }}"\n}',
      qname: 'a',
      answers: [],
    },
    {
      what: 'a name that would be a comment',
      lines: 'template IN A {\nanswer "{{ .Name }} 1 IN A 10.0.0.1"\n}',
      qname: 'a;b.example',
      answers: ['a\\;b.example. 1 IN A 10.0.0.1'],
    },
    {
      what: 'ANY with the type of the template',
      lines: 'template IN A {\nanswer "{{ .Name }} 1 IN {{ .Type }} 10.0.0.1"\n}',
      qname: 'a',
      qtype: 'ANY',
      answers: ['a. 1 IN A 10.0.0.1'],
    },
  ])('$what', async ({ lines, answers, ...query }) => {
    const reply = await run(lines, query);
    expect(reply.error).toBeUndefined();
    expect(reply).toMatchObject({ rcode: 0, message: { rcode: 0, flags: { authoritative: true } } });
    expect(records(reply)).toEqual(answers);
  });

  it('with an rcode, an SOA and an extended error', async () => {
    const lines = `template ANY ANY invalid {
      rcode NXDOMAIN
      authority "invalid. 60 {{ .Class }} SOA ns.invalid. hostmaster.invalid. (1 60 60 60 60)"
      additional "ns.invalid. 60 IN A 192.0.2.1"
      ederror 21 "Blocked according to RFC2606"
    }`;
    const reply = await run(lines, { qname: 'x.invalid', dnssecOk: true });
    expect(reply).toMatchObject({ rcode: 3, message: { rcode: 3, answers: [] } });
    expect(records(reply, 'authorities')).toEqual([
      'invalid. 60 IN SOA ns.invalid. hostmaster.invalid. 1 60 60 60 60',
    ]);
    expect(records(reply, 'additionals')).toEqual(['ns.invalid. 60 IN A 192.0.2.1']);
    const data = Buffer.concat([Uint8Array.of(0, 21), Buffer.from('Blocked according to RFC2606')]);
    expect(reply.message?.edns).toEqual({
      version: 0,
      udpSize: 4096,
      dnssecOk: true,
      options: [{ code: 15, data: Uint8Array.from(data) }],
    });
  });

  it('with what metadata knows', async () => {
    const { plugin } = setUp(
      setup,
      'template IN TXT {\nanswer "{{ .Name }} 1 IN TXT {{ .Meta `k/ns` }}."\n}',
    );
    const query = ask('a', 'TXT');
    query.metadata.set('k/ns', 'default');
    const reply = await plugin?.(next)(query);
    expect(records(reply ?? { rcode: 1 })).toEqual(['a. 1 IN TXT "default."']);
  });

  it('an alias with what this server says of its target, for address queries only', async () => {
    const lines =
      'template IN ANY foogle.com {\nmatch "^foogle\\.com\\.$"\nanswer "foogle.com 60 IN CNAME google.com"\n}';
    const target = parseRecordText('google.com. 5 A 192.0.2.1', {
      origin: undefined,
      defaultTtlSeconds: undefined,
    });
    const asked: string[] = [];
    const host = fakeHost({
      resolve: async (query, to, type) => {
        asked.push(`${to} ${type}`);
        return replyTo(query.message, { answers: target.ok ? [target.value] : [] });
      },
    });
    const alias = 'foogle.com. 60 IN CNAME google.com.';
    expect(records(await run(lines, { qname: 'foogle.com', host }))).toEqual([
      alias,
      'google.com. 5 IN A 192.0.2.1',
    ]);
    expect(records(await run(lines, { qname: 'foogle.com', qtype: 'TXT', host }))).toEqual([alias]);
    expect(asked).toEqual(['google.com. 1']);
  });
});

it('template makes a record of any name, whatever bytes a client puts into it', async () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
  const names = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => {
    const escaped = labels.map((bytes) =>
      Array.from(bytes, (byte) => `\\${String(byte).padStart(3, '0')}`).join(''),
    );
    return escaped.join('.');
  });
  const lines =
    'template IN A {\nmatch ^(?P<all>.*)$\nanswer "{{ .Group.all }} 60 IN A 10.0.0.1" "{{ .Name }} 60 IN A 10.0.0.2"\n}';
  await fc.assert(
    fc.asyncProperty(names, async (qname) => {
      const reply = await run(lines, { qname });
      expect(reply.error).toBeUndefined();
      const owner = canonicalName(ask(qname).question.name);
      expect(reply.message?.answers.map((record) => record.name)).toEqual([owner, owner]);
    }),
  );
});

describe('template leaves to others', () => {
  const AKS = `template ANY ANY internal.cloudapp.net {
    match "^(?:[^.]+\\.){4,}internal\\.cloudapp\\.net\\.$"
    rcode NXDOMAIN
    fallthrough
  }
  template ANY ANY reddog.microsoft.com {
    rcode NXDOMAIN
  }`;
  it.each([
    {
      what: 'NXDOMAIN for what AKS keeps inside',
      lines: AKS,
      qname: 'a.b.c.d.internal.cloudapp.net',
      rcode: 3,
    },
    {
      what: "the next plugin for AKS's other names",
      lines: AKS,
      qname: 'a.internal.cloudapp.net',
      rcode: 42,
    },
    {
      what: "NXDOMAIN for AKS's second zone",
      lines: AKS,
      qname: 'a.reddog.microsoft.com',
      qtype: 'SRV',
      rcode: 3,
    },
    { what: 'the next plugin for other zones', lines: AKS, qname: 'example.org', rcode: 42 },
    {
      what: 'the next plugin for other types',
      lines: IP,
      qname: 'ip-1-2-3-4.example',
      qtype: 'AAAA',
      rcode: 42,
    },
    {
      what: 'the next plugin for other classes',
      lines: IP,
      qname: 'ip-1-2-3-4.example',
      class: 3,
      rcode: 42,
    },
    { what: 'the next plugin with fallthrough', lines: IP, qname: 'x.example', rcode: 42 },
    { what: 'SERVFAIL without fallthrough', lines: HEX, qname: 'x.example', rcode: 2 },
    {
      what: 'SERVFAIL outside the zones of fallthrough',
      lines: 'template IN A {\nmatch ^a\nfallthrough b.example\n}',
      qname: 'x.example',
      rcode: 2,
    },
    {
      what: 'the next plugin inside them',
      lines: 'template IN A {\nmatch ^a\nfallthrough b.example\n}',
      qname: 'x.b.example',
      rcode: 42,
    },
    { what: 'the next template', lines: `${IP}\n${HEX}`, qname: 'ip0a7b7b7b.example', rcode: 0 },
    {
      what: 'SERVFAIL without a message',
      lines: 'template ANY ANY {\nrcode SERVFAIL\nanswer "nonsense"\n}',
      qname: 'a',
      rcode: 2,
    },
  ])('$what', async ({ lines, rcode, ...query }) => {
    const reply = await run(lines, query);
    expect(reply.rcode).toBe(rcode);
    expect(reply.error).toBeUndefined();
    if (rcode === 2) expect(reply.message).toBeUndefined();
  });
});

describe('template fails', () => {
  it.each([
    {
      what: 'a template that cannot go on',
      template: '{{ parseInt .Name 10 8 }}',
      metric: 'template_failures',
      error:
        'template: answer: error calling parseInt: strconv.ParseUint: parsing "a.": invalid syntax: {{ parseInt .Name 10 8 }}',
    },
    {
      what: 'a text that is no record',
      template: '{{ .Name }} A',
      metric: 'rr_failures',
      error: 'dns: an address is missing: a. A',
    },
    {
      what: 'two records in one',
      template: 'a 1 A 10.0.0.1{{ `\n` }}b 1 A 10.0.0.1',
      metric: 'rr_failures',
      error: 'dns: one record is expected, not several: a 1 A 10.0.0.1 b 1 A 10.0.0.1',
    },
  ])('with SERVFAIL, an error and a metric for $what', async ({ template, metric, error }) => {
    const host = fakeHost();
    const reply = await run(`template IN A {\nanswer "${template}"\n}`, { qname: 'a', host });
    expect(reply).toEqual({ rcode: 2, error: new Error(error) });
    expect(
      await host.metric(
        'coredns_template_matches_total{class="IN",server="dns://:53",type="A",view="",zone="."}',
      ),
    ).toBe(1);
    const label = template.replaceAll('\n', '\\n');
    const text = `coredns_template_${metric}_total{class="IN",section="answer",server="dns://:53",template="${label}",type="A",view="",zone="."}`;
    expect(await host.metric(text)).toBe(1);
  });
});

describe('template in a Corefile refuses', () => {
  it.each([
    { lines: 'template', message: "Wrong argument count or unexpected line ending after 'template'" },
    { lines: 'template IN', message: "Wrong argument count or unexpected line ending after 'IN'" },
    { lines: 'template XX A', message: 'Corefile:2 - Error during parsing: invalid query class XX' },
    { lines: 'template IN XX', message: 'invalid RR class XX' },
    { lines: 'template in A', message: 'invalid query class in' },
    { lines: 'template IN A {\nmatch\n}', message: "after 'match'" },
    {
      lines: 'template IN A {\nmatch (\n}',
      message: 'Corefile:3 - Error during parsing: could not parse regex: (',
    },
    { lines: 'template IN A {\nanswer\n}', message: "after 'answer'" },
    {
      lines: 'template IN A {\nanswer "{{ .Nosuch }}"\n}',
      message: "could not compile template: {{ .Nosuch }}, can't evaluate field Nosuch",
    },
    {
      lines: 'template IN A {\nanswer "{{ .Name"\n}',
      message: 'could not compile template: {{ .Name, unclosed action',
    },
    { lines: 'template IN A {\nrcode NOSUCH\n}', message: 'unknown rcode NOSUCH' },
    { lines: 'template IN A {\nederror x\n}', message: 'error parsing extended DNS error code x' },
    { lines: 'template IN A {\nederror 1 2 3\n}', message: "after '3'" },
    { lines: 'template IN A {\nvar x 1\n}', message: "property 'var' is not supported by this server" },
    { lines: 'template IN A {\nexpr true\n}', message: "property 'expr' is not supported by this server" },
    { lines: 'template IN A {\nanswr x\n}', message: "unknown property 'answr'" },
  ])('$lines', ({ lines, message }) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });

  it('nothing of what operators write', () => {
    expect(setUp(setup, `${IP}\n${HEX}\n${PTR}`).plugin).toBeDefined();
  });
});
