/** Upstreams by TLS, with certificates that openssl makes here: what is believed, what is refused and in which words. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { type FakeHost, fakeHost, setUp } from '../fake-host.ts';
import { ask, record } from '../fake-query.ts';
import { setup } from './setup.ts';
import { type Asked, FakeUpstream, type Script, silent } from './testing/fake-upstream.ts';

const WAIT_MS = 20_000;
const directory = mkdtempSync(join(tmpdir(), 'zerohop-forward-tls-'));
const at = (file: string) => join(directory, file);
const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe', cwd: directory });

/** An authority, and certificates that it signed: for a name and 127.0.0.1, for the name alone, and one that is over. */
beforeAll(() => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  const sign = (name: string, days: number, { cn, altName }: { cn: string; altName: string }) => {
    const request = ['-subj', `/CN=${cn}`, '-addext', `subjectAltName=${altName}`];
    openssl('req', '-new', ...key, ...request, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-days', String(days), '-out', `${name}.pem`);
  };
  sign('good', 2, { cn: 'dns.test', altName: 'DNS:dns.test,IP:127.0.0.1' });
  sign('named', 2, { cn: 'dns.test', altName: 'DNS:dns.test' });
  sign('over', -1, { cn: 'dns.test', altName: 'IP:127.0.0.1' });
  sign('client', 2, { cn: 'client.test', altName: 'DNS:client.test' });
});

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(() => rmSync(directory, { recursive: true }));

async function upstream(
  script: Script,
  certificate = 'good',
  options: TlsOptions = {},
): Promise<FakeUpstream> {
  const cert = readFileSync(at(`${certificate}.pem`));
  const server = await FakeUpstream.start(script, undefined, {
    cert,
    key: readFileSync(at(`${certificate}.key`)),
    ...options,
  });
  cleanUps.push(() => server.close());
  return server;
}

interface Forwarder {
  readonly host: FakeHost;
  run(query: Query): Promise<Reply>;
}

/** `UP` in `to` stands for the server's address and port. */
function forwarder(server: FakeUpstream, lines = '', to = 'tls://127.0.0.1:PORT'): Forwarder {
  const host = fakeHost({ directory });
  const text = `forward . ${to.replace('PORT', String(server.port))} {\nmax_fails 0\n${lines}\n}`;
  const instance = setUp(setup, text, { host });
  cleanUps.push(() => instance.onShutdown?.());
  const handler = instance.plugin?.(() => ({ rcode: RCODE.NXDOMAIN }));
  if (handler === undefined) throw new Error('no plugin');
  return { host, run: async (query) => handler(query) };
}

async function until(reached: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!reached() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
  if (!reached()) throw new Error('what the test waits for did not happen');
}

const addressOf = ({ message }: Reply) => message?.answers[0] && recordAddress(message.answers[0]);

function ownAnswer(query: Message): Uint8Array {
  return encodeMessage(replyTo(query, { answers: [record(`${query.questions[0]?.name} 60 A 192.0.2.1`)] }));
}
const echo: Script = ({ query, send }) => send(ownAnswer(query));

describe('forward by TLS', () => {
  it('asks over TLS what a client asked by UDP, and tells metrics and metadata', async () => {
    const server = await upstream(echo);
    const { host, run } = forwarder(server, 'tls ca.pem');
    const query = ask('example.org.');
    expect(addressOf(await run(query))).toBe('192.0.2.1');
    expect(server.asked.map(({ transport }) => transport)).toEqual(['tcp']);
    expect(query.metadata.get('forward/upstream')).toBe(server.text);
    const labels = `{proto="tcp-tls",proxy_name="forward",to="${server.text}"}`;
    expect(await host.metric(`coredns_proxy_conn_cache_misses_total${labels}`)).toBe(1);
  });

  it('carries many questions at once on one connection, answered in any order', async () => {
    const held: Asked[] = [];
    const server = await upstream((asked) => void held.push(asked));
    const { run } = forwarder(server, 'tls ca.pem');
    const waiting = Array.from({ length: 15 }, (_, i) => run(ask(`n${i}.example.`)));
    await until(() => held.length === 15);
    for (const asked of held.reverse()) echo(asked);
    const owners = (await Promise.all(waiting)).map(({ message }) => message?.answers[0]?.name);
    expect(owners).toEqual(waiting.map((_, i) => `n${i}.example.`));
    expect(server.connections).toBe(1);
  });

  it.each([['TLSv1.2'], ['TLSv1.3']] as const)(
    'resumes the session on the next connection with %s',
    async (version) => {
      const server = await upstream(echo, 'good', { maxVersion: version });
      const { host, run } = forwarder(server, 'tls ca.pem');
      for (let i = 0; i < 3; i++) {
        expect((await run(ask(`n${i}.example.`))).rcode).toBe(RCODE.NOERROR);
        host.clock.pass(10_000);
        await until(() => server.open === 0);
      }
      expect(server.connections).toBe(3);
      expect(server.resumed).toBe(2);
    },
  );

  it.each([
    ['the line says', 'tls ca.pem\ntls_servername dns.test', 'tls://127.0.0.1:PORT'],
    ['the upstream says', 'tls ca.pem\ntls_servername wrong.test', 'tls://127.0.0.1%dns.test:PORT'],
  ])('expects the name that %s, and sends it', async (_case, lines, to) => {
    const server = await upstream(echo, 'named');
    const { run } = forwarder(server, lines, to);
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
    expect(server.serverNames).toEqual(['dns.test']);
  });

  it('shows its own certificate to who asks for one', async () => {
    const ca = readFileSync(at('ca.pem'));
    const server = await upstream(echo, 'good', { requestCert: true, ca });
    const { run } = forwarder(server, 'tls client.pem client.key ca.pem');
    expect(addressOf(await run(ask('example.org.')))).toBe('192.0.2.1');
    expect(server.clientNames).toEqual(['client.test']);
  });

  const X509 = 'tls: failed to verify certificate: x509: ';
  it.each([
    ['an authority nobody named', 'good', '', `${X509}certificate signed by unknown authority`],
    [
      'another name',
      'named',
      'tls ca.pem\ntls_servername other.test',
      `${X509}certificate is valid for dns.test, not other.test`,
    ],
    [
      'a name where an address is needed',
      'named',
      'tls ca.pem',
      `${X509}certificate is valid for dns.test, not 127.0.0.1`,
    ],
    ['a time that is over', 'over', 'tls ca.pem', `${X509}certificate has expired or is not yet valid`],
  ])('does not believe a certificate of %s', async (_case, certificate, lines, text) => {
    const server = await upstream(echo, certificate);
    const { run } = forwarder(server, lines);
    const { error, rcode } = await run(ask('example.org.'));
    expect(rcode).toBe(RCODE.SERVFAIL);
    expect(error?.message).toBe(text);
    expect(server.asked).toEqual([]);
  });

  it('does not speak TLS 1.1', async () => {
    const server = await upstream(echo, 'good', {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const { run } = forwarder(server, 'tls ca.pem');
    expect((await run(ask('example.org.'))).rcode).toBe(RCODE.SERVFAIL);
    expect(server.asked).toEqual([]);
  });

  it('fails where the other end does not speak TLS', async () => {
    const server = await FakeUpstream.start(silent);
    cleanUps.push(() => server.close());
    server.script(({ hangUp }) => hangUp());
    const { host, run } = forwarder(server, 'tls ca.pem\nmax_connect_attempts 1');
    const waiting = run(ask('example.org.'));
    await until(() => server.connections === 1);
    host.clock.pass(5000);
    const { error, rcode } = await waiting;
    expect(rcode).toBe(RCODE.SERVFAIL);
    expect(error?.message).toBe(`dial tcp ${server.text}: i/o timeout`);
  });

  it('asks again at once when the kept connection was closed', async () => {
    const server = await upstream(echo);
    const { run } = forwarder(server, 'tls ca.pem\nmax_connect_attempts 1');
    await run(ask('a.example.'));
    server.hangUp();
    expect(addressOf(await run(ask('b.example.')))).toBe('192.0.2.1');
    expect(server.connections).toBe(2);
  });
});

describe('the files of tls', () => {
  it.each([
    ['is not there', 'tls nowhere.pem', /Corefile:3 .*error reading "nowhere.pem": ENOENT/],
    ['is no certificate', 'tls good.key', /Corefile:3 .*could not load TLS files/],
    ['does not belong to the certificate', 'tls good.pem client.key', /could not load TLS files: .*mismatch/],
  ])('are refused at set-up when one %s', (_case, line, message) => {
    const host = fakeHost({ directory });
    expect(() => setUp(setup, `forward . tls://127.0.0.1 {\n${line}\n}`, { host })).toThrow(message);
  });

  it('draw a warning where no upstream is asked by TLS', () => {
    const host = fakeHost({ directory });
    setUp(setup, 'forward . 127.0.0.1 {\ntls ca.pem\n}', { host });
    expect(host.lines.join()).toContain('queries go in the clear');
  });
});
