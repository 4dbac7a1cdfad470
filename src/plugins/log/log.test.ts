import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../dns/encode-message.ts';
import { replyTo } from '../../dns/reply.ts';
import { finishReply } from '../../server/finish.ts';
import type { Handler, Query } from '../../server/handler.ts';
import { fakeHost, setUp } from '../fake-host.ts';
import { type AskOptions, ask, record } from '../fake-query.ts';
import { formatSeconds } from './format.ts';
import { setup } from './setup.ts';

const HOST = { client: '172.20.1.137', port: 39223, id: 10342 };

async function logged(
  lines: string,
  { qname = 'Www.Google.com.', handler = denied as Handler, from = HOST as AskOptions } = {},
): Promise<string[]> {
  const host = fakeHost();
  const instance = setUp(setup, lines, { host });
  const slow: Handler = (query) => {
    host.clock.pass(7.179209);
    return handler(query);
  };
  await instance.plugin?.(slow)(ask(qname, 'A', from));
  return host.lines;
}

function denied(query: Query) {
  const authorities = [record('cluster.local. 30 SOA')];
  const message = replyTo(query.message, { rcode: 3, authoritative: true, authorities });
  return { rcode: 3, message };
}

function found(query: Query) {
  const message = replyTo(query.message, { answers: [record('www.google.com. 30 A 192.0.2.1')] });
  return { rcode: 0, message };
}

describe('log', () => {
  it('prints the size of a query without the options that do not go back, as CoreDNS does', async () => {
    const host = fakeHost();
    const option = (code: number) => ({ code, data: new Uint8Array(8) });
    const plain = ask('a.test.', 'A', { udpSize: 1232 });
    const edns = { version: 0, udpSize: 1232, dnssecOk: false, options: [option(10), option(8)] };
    const message = { ...plain.message, edns };
    const query = { ...plain, message, wire: encodeMessage(message) };
    await setUp(setup, 'log . {size}', { host }).plugin?.(found)(query);
    // header 12, question 12, OPT 11, cookie 4 + 8; the client subnet is not counted
    expect(host.lines).toEqual(['[INFO] 47']);
  });

  it('tells what kind of reply it was', async () => {
    const lines = await logged('log . "{name} {/log/class} {/log/type} {/no/such}"');
    expect(lines).toEqual(['[INFO] www.google.com. denial NXDOMAIN -']);
  });

  it('takes networks as the names of their reverse zones', async () => {
    const from = { qname: '7.0.0.10.in-addr.arpa.' };
    expect(await logged('log 10.0.0.0/8 example.org', from)).toHaveLength(1);
    expect(await logged('log 192.168.0.0/15', from)).toHaveLength(0);
  });

  it.each([
    { name: 'without an OPT record', from: HOST },
    { name: 'with one, which counts in neither size', from: { ...HOST, udpSize: 1232, dnssecOk: true } },
  ])('prints the same line for an answer that a packet thread gave: $name', async ({ from }) => {
    const viaChain = await logged('log', { from });
    const host = fakeHost();
    const { replay } = setUp(setup, 'log', { host });
    const query = ask('Www.Google.com.', 'A', from);
    const reply = finishReply(query.message, denied(query).message, query);
    if (replay?.does === 'log') replay.write(query, reply, 0.007179209);
    expect(host.lines).toEqual(viaChain);
  });

  it('a packet thread’s answer is held against the classes and names like any other', () => {
    const host = fakeHost();
    const { replay } = setUp(setup, 'log example.org {\nclass success\n}', { host });
    const query = ask('a.example.org.');
    const bytes = (of: typeof query, reply = found(of).message) => finishReply(of.message, reply, of);
    if (replay?.does !== 'log') throw new Error('log must hear of each answer');
    replay.write(query, bytes(query, denied(query).message), 0);
    replay.write(ask('a.example.net.'), bytes(ask('a.example.net.')), 0);
    expect(host.lines).toEqual([]);
    replay.write(query, bytes(query), 0);
    expect(host.lines).toHaveLength(1);
  });

  it.each([
    { lines: 'log . "{name} {/kubernetes/client-namespace}"', answers: false },
    { lines: 'log a.test\nlog . "{/view/name} {name}"', answers: false },
    { lines: 'log . "{name} {/log/class}"', answers: true },
    { lines: 'log . "{combined}"', answers: true },
  ])('$lines: packet threads answer: $answers', ({ lines, answers }) => {
    expect(setUp(setup, lines).replay !== undefined).toBe(answers);
  });

  it('prints the line of the field reports', async () => {
    const [line] = await logged('log');
    // header 12, question 20, SOA record: owner 15, fixed 10, rdata with two names of 18 and 26 bytes and 20 more
    expect(line).toBe(
      '[INFO] 172.20.1.137:39223 - 10342 "A IN www.google.com. udp 32 false 512" NXDOMAIN qr,aa,rd 121 0.007179209s',
    );
  });

  it('shows the OPT record of the query, and TCP as 65535', async () => {
    const edns = await logged('log', { from: { ...HOST, udpSize: 1232, dnssecOk: true } });
    expect(edns[0]).toContain('"A IN www.google.com. udp 43 true 1232"');
    const tcp = await logged('log', { from: { ...HOST, transport: 'tcp' } });
    expect(tcp[0]).toContain('"A IN www.google.com. tcp 32 false 65535"');
  });

  it('puts brackets around IPv6 clients', async () => {
    const [line] = await logged('log', { from: { ...HOST, client: '::1' } });
    expect(line).toContain('[INFO] [::1]:39223 - ');
  });

  it('prints the code the server is going to send for a reply without a message', async () => {
    const [line] = await logged('log', { handler: () => ({ rcode: 2 }) });
    expect(line).toContain('512" SERVFAIL qr,rd 32 ');
  });

  const chosen: [name: string, lines: string, handler: typeof denied, printed: boolean][] = [
    ['a name below the zone', 'log google.com', found, true],
    ['a name outside of the zone', 'log example.org', found, false],
    ['the first rule that knows the name', 'log google.com {\nclass denial\n}\nlog .', found, false],
    ['a class that fits', 'log {\nclass denial error\n}', denied, true],
    ['a class that does not fit', 'log {\nclass success\n}', denied, false],
    ['all classes', 'log {\nclass all\n}', denied, true],
  ];
  it.each(chosen)('%s', async (_name, lines, handler, printed) => {
    expect(await logged(lines, { handler })).toHaveLength(printed ? 1 : 0);
  });

  const formats: [format: string, line: string][] = [
    ['{type} {class} {name} {proto}', 'A IN www.google.com. udp'],
    ['{remote} {port} {local} {>id} {>opcode}', '172.20.1.137 39223 10.0.0.2 10342 0'],
    ['{rcode} {>rflags} {nosuch} {', 'NXDOMAIN qr,aa,rd {nosuch} {'],
    ['{/forward/upstream}', '-'],
    ['{{name}}', '{www.google.com.}'],
  ];
  it.each(formats)('understands %s', async (format, line) => {
    expect(await logged(`log . "${format}"`)).toEqual([`[INFO] ${line}`]);
  });

  it('knows the short names of formats', async () => {
    const [common] = await logged('log');
    expect(await logged('log . "{combined}"')).toEqual([`${common} "0"`]);
  });

  it('refuses unknown classes and options', () => {
    expect(() => setUp(setup, 'log {\nclass odd\n}')).toThrow('unknown response class: "odd"');
    expect(() => setUp(setup, 'log {\nnosuch\n}')).toThrow("unknown property 'nosuch'");
  });
});

describe('formatSeconds', () => {
  const cases: [ms: number, text: string][] = [
    [0.14114, '0.00014114s'],
    [7.179209, '0.007179209s'],
    [1000, '1s'],
    [0, '0s'],
    [0.000001, '0.000000001s'],
    [12_345.6, '12.3456s'],
  ];
  it.each(cases)('%d ms is %s', (ms, text) => {
    expect(formatSeconds(ms)).toBe(text);
  });
});
