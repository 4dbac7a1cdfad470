import { describe, expect, it } from 'vitest';
import { AppError } from '../../fault/app-error.ts';
import type { Query } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { type AskOptions, ask, ip } from '../fake-query.ts';
import { setup } from './setup.ts';

interface Case {
  readonly expr: string;
  readonly qname?: string;
  readonly qtype?: string;
  readonly options?: AskOptions;
  readonly accepts: boolean;
}

function accepts(lines: string, query: Query, host = fakeHost()): boolean | undefined {
  return setUp(setup, lines, { host }).view?.accepts(query);
}

const V6 = { client: '2001:db8::7' };

describe('view', () => {
  it.each<Case>([
    { expr: "type() == 'A'", accepts: true },
    { expr: "type() == 'AAAA'", accepts: false },
    { expr: "type() in ['A', 'AAAA']", qtype: 'AAAA', accepts: true },
    { expr: "type() in ['A', 'AAAA']", qtype: 'MX', accepts: false },
    { expr: "type() == 'TYPE65280'", qtype: 'TYPE65280', accepts: true },
    { expr: "name() == 'www.example.org.'", qname: 'WWW.Example.ORG.', accepts: true },
    { expr: "name() == 'www.example.org'", accepts: false },
    {
      expr: "name() matches '^abc\\\\..*\\\\.example\\\\.com\\\\.$'",
      qname: 'abc.x.y.example.com.',
      accepts: true,
    },
    {
      expr: "name() matches '^abc\\\\..*\\\\.example\\\\.com\\\\.$'",
      qname: 'abcd.x.example.com.',
      accepts: false,
    },
    { expr: "name() endsWith '.example.org.'", accepts: true },
    { expr: "class() == 'IN'", accepts: true },
    { expr: "class() == 'CH'", options: { class: 3 }, accepts: true },
    { expr: "proto() == 'udp'", accepts: true },
    { expr: "proto() == 'tcp'", options: { transport: 'tcp' }, accepts: true },
    { expr: 'size() == 33', accepts: true },
    { expr: "client_ip() == '10.0.0.1'", accepts: true },
    { expr: "client_ip() == '[2001:db8::7]'", options: V6, accepts: true },
    { expr: "port() == '40000'", accepts: true },
    { expr: "server_ip() == '10.0.0.2'", accepts: true },
    { expr: "server_port() == '53'", accepts: true },
    { expr: 'id() == 4711', accepts: true },
    { expr: 'id() % 2 == 0', accepts: false },
    { expr: 'opcode() == 0', accepts: true },
    { expr: 'do()', accepts: false },
    { expr: 'do()', options: { dnssecOk: true }, accepts: true },
    { expr: 'bufsize() == 512', accepts: true },
    { expr: 'bufsize() == 512', options: { udpSize: 100 }, accepts: true },
    { expr: 'bufsize() == 1400', options: { udpSize: 1400 }, accepts: true },
    { expr: 'bufsize() == 65535', options: { transport: 'tcp', udpSize: 1400 }, accepts: true },
    { expr: "incidr(client_ip(), '10.0.0.0/8')", accepts: true },
    { expr: "incidr(client_ip(), '192.168.0.0/16')", accepts: false },
    { expr: "incidr(client_ip(), '2001:db8::/32')", options: V6, accepts: true },
    { expr: "incidr(client_ip(), '0.0.0.0/0')", options: V6, accepts: false },
    { expr: "incidr('::1', '::/64')", accepts: true },
    { expr: "incidr(name(), '0.0.0.0/0')", accepts: false },
    { expr: "incidr(client_ip(), client_ip() + '/32')", accepts: true },
    { expr: 'incidr(client_ip(), name())', accepts: false },
    { expr: "metadata('nobody/knows') == ''", accepts: true },
    { expr: "(type() == 'A' && name() == 'example.com') || client_ip() == '10.0.0.1'", accepts: true },
    { expr: "not incidr(client_ip(), '127.0.0.0/24')", accepts: true },
  ])(
    '$expr is $accepts for $qname $qtype',
    ({ expr, qname = 'www.example.org.', qtype, options, accepts: expected }) => {
      expect(accepts(`view test {\nexpr ${expr}\n}`, ask(qname, qtype, options))).toBe(expected);
    },
  );

  it('needs all of several expressions to hold', () => {
    const lines = "view both {\nexpr type() == 'A'\nexpr proto() == 'udp'\n}";
    expect(accepts(lines, ask('a.test.', 'A'))).toBe(true);
    expect(accepts(lines, ask('a.test.', 'MX'))).toBe(false);
    expect(accepts(lines, ask('a.test.', 'A', { transport: 'tcp' }))).toBe(false);
  });

  it('accepts everything without an expression', () => {
    expect(accepts('view all', ask('a.test.'))).toBe(true);
    expect(accepts('view all {\n}', ask('a.test.'))).toBe(true);
  });

  it('asks the other plugins of its block for metadata, each of them once', () => {
    let asked = 0;
    const describers = [
      (query: Query) => {
        asked++;
        query.metadata.set(
          'kubernetes/client-namespace',
          query.client.address === ip('10.0.0.1') ? 'shop' : '',
        );
      },
    ];
    const host = fakeHost({ neighbours: { describers } });
    const label = "metadata('kubernetes/client-namespace')";
    const lines = `view shop {\nexpr ${label} == 'shop'\nexpr ${label} != 'x'\n}`;
    expect(accepts(lines, ask('a.test.'), host)).toBe(true);
    expect(asked).toBe(1);
    expect(accepts(lines, ask('a.test.', 'A', { client: '10.0.0.9' }), host)).toBe(false);
  });

  it('tells its name, to metrics and to other plugins', () => {
    const { view, describe: tell, plugin } = setUp(setup, 'view inside');
    const query = ask('a.test.');
    tell?.(query);
    expect(view?.name).toBe('inside');
    expect(query.metadata.get('view/name')).toBe('inside');
    expect(plugin).toBeUndefined();
  });

  it('shows the expression as the Corefile leaves it, and says who took the quotes', () => {
    let hint: string | undefined;
    try {
      setUp(setup, 'view a {\nexpr client_ip() == "127.0.0.1"\n}');
    } catch (error) {
      hint = error instanceof AppError ? error.hint : undefined;
    }
    expect(hint).toContain('The expression is: client_ip() == 127.0.0.1');
    expect(hint).toContain('Double quotes');
  });

  it('takes a whole expression in double quotes', () => {
    expect(accepts('view a {\nexpr "type() == \'A\'"\n}', ask('a.test.'))).toBe(true);
  });

  it.each([
    ['no name', 'view', /unexpected line ending after 'view'/],
    ['two names', 'view a b', /unexpected line ending after 'b'/],
    ['an unknown option', 'view a {\nexpression true\n}', /Corefile:3 .* unknown property 'expression'/],
    ['no expression', 'view a {\nexpr\n}', /Corefile:3 .* unexpected line ending after 'expr'/],
    [
      'an unknown function',
      'view a {\nexpr true\nexpr city() == 1\n}',
      /Corefile:4 .* unknown function city/,
    ],
    ['a port as a number', 'view a {\nexpr port() == 53\n}', /== cannot join a string and a number/],
    ['what is no condition', 'view a {\nexpr name()\n}', /it must be true or false, and is a string/],
    [
      'a network that is none',
      "view a {\nexpr incidr(client_ip(), '10.0.0')\n}",
      /incidr: invalid CIDR address: 10.0.0/,
    ],
    ['a pattern that is none', "view a {\nexpr name() matches '['\n}", /matches: /],
    ['text in double quotes', 'view a {\nexpr name() == "x"\n}', /unknown name x/],
    ['an end too early', 'view a {\nexpr (true\n}', /unexpected end, expected \)/],
    ['a second one', 'view a\nview b', /only be used once/],
  ])('refuses %s', (_case, lines, message) => {
    expect(() => setUp(setup, lines)).toThrow(message);
  });
});
