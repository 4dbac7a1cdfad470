/** DNS over TLS as clients meet it: kdig and openssl against a server whose Corefile names certificates made here. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import { FrameSplitter, frameMessage } from '../dns/frames.ts';
import { freePort } from '../net/testing/free-ports.ts';
import { ask } from '../plugins/fake-query.ts';
import { DnsServer } from './dns-server.ts';
import { corefile, type FakeEnvironment, fakeEnvironment } from './fake-environment.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-dot-'));
const at = (file: string) => join(directory, file);

function makeCertificate(name: string): void {
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const named = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', [...made, ...named, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)], {
    stdio: 'pipe',
  });
}
for (const name of ['dns.test', 'other.test', 'client.test']) makeCertificate(name);

const children: ChildProcess[] = [];
const servers: DnsServer[] = [];
const sockets: { destroy(): void }[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) await server.closeListeners();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** `words` go into the block beside `whoami`. */
const block = (words: string, port = 0) => `tls://.:${port} {\n bind 127.0.0.1\n ${words}\n whoami\n}\n`;
const GOOD = `tls ${at('dns.test.crt')} ${at('dns.test.key')}`;

async function start(
  text: string,
): Promise<{ server: DnsServer; environment: FakeEnvironment; port: number }> {
  const environment = fakeEnvironment();
  const server = new DnsServer(environment);
  servers.push(server);
  await server.apply(corefile(text));
  return { server, environment, port: server.addresses[0]?.port ?? 0 };
}

function run(file: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(file, args);
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', () => resolve(text)));
}

const kdig = (port: number, ...args: string[]) =>
  run('kdig', ['@127.0.0.1', '-p', String(port), '+timeout=15', '+retry=0', ...args]);

const CLIENT = ['-cert', at('client.test.crt'), '-key', at('client.test.key')];
const sClient = (port: number, ...args: string[]) =>
  run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], 'Q\n');

/** An encrypted connection over which queries are asked, by whoever has the certificate called so. */
async function dial(port: number, name?: string): Promise<TLSSocket> {
  const own = name && { cert: readFileSync(at(`${name}.crt`)), key: readFileSync(at(`${name}.key`)) };
  const shared = { host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['dot'] };
  const socket = connect({ ...shared, ...(own || {}) });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
  return socket;
}

function receive(socket: TLSSocket, count: number): Promise<number> {
  const splitter = new FrameSplitter();
  let seen = 0;
  return new Promise((resolve) => {
    socket.on('data', (chunk: Uint8Array) => {
      seen += splitter.push(chunk).length;
      if (seen >= count) resolve(seen);
    });
    socket.on('close', () => resolve(seen));
  });
}

const query = frameMessage(encodeMessage(ask('a.test.').message));

describe('DNS over TLS', { timeout: 30_000 }, () => {
  it('answers kdig, which has checked the certificate, and is counted under tls://', async () => {
    const { port, environment } = await start(block(`${GOOD}\n prometheus 127.0.0.1:0`));
    const strict = [`+tls-ca=${at('dns.test.crt')}`, '+tls-hostname=dns.test'];
    expect(await kdig(port, 'a.test', ...strict)).toMatch(/status: NOERROR[\s\S]*_tcp\.a\.test\./);
    expect(await environment.metrics.text()).toContain(
      'coredns_dns_requests_total{family="1",proto="tcp",server="tls://127.0.0.1:0",type="A",view="",zone="."} 1',
    );
    expect(await kdig(port, 'a.test', `+tls-ca=${at('other.test.crt')}`)).not.toContain('status:');
  });

  it('is the upstream of an unbound that forwards over TLS', async () => {
    const { port, environment } = await start(block(`${GOOD}\n prometheus 127.0.0.1:0\n log`));
    const own = await freePort();
    writeFileSync(
      at('unbound.conf'),
      `server:
  chroot: ""
  username: ""
  directory: "${directory}"
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@${own}
  do-not-query-localhost: no
  module-config: "iterator"
  tls-cert-bundle: "${at('dns.test.crt')}"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-tls-upstream: yes
  forward-addr: 127.0.0.1@${port}#dns.test
`,
    );
    children.push(spawn('unbound', ['-d', '-c', at('unbound.conf')], { stdio: 'ignore' }));
    await expect
      .poll(() => run('dig', ['@127.0.0.1', '-p', String(own), '+time=2', '+tries=1', 'a.example.org']), {
        timeout: 20_000,
      })
      .toContain('status: NOERROR');
    expect(environment.lines).toContainEqual(expect.stringMatching(/"A IN a\.example\.org\. tcp /));
  });

  it('speaks TLS 1.2 and 1.3, and nothing older', async () => {
    const { port } = await start(block(GOOD));
    expect(await sClient(port, '-tls1_2', '-alpn', 'dot')).toMatch(/ALPN protocol: dot[\s\S]*TLSv1\.2/);
    expect(await sClient(port, '-tls1_3')).toContain('TLSv1.3');
    expect(await sClient(port, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')).toMatch(/alert protocol version/);
  });

  it('answers many pipelined queries on one connection', async () => {
    const { port } = await start(block(GOOD));
    const socket = await dial(port);
    socket.write(Buffer.concat(Array.from({ length: 500 }, () => query)));
    expect(await receive(socket, 500)).toBe(500);
  });

  it('listens in clear without a certificate', async () => {
    const { port } = await start(block(''));
    expect(await kdig(port, '+tcp', 'a.test')).toContain('status: NOERROR');
    expect(await kdig(port, '+tls', 'a.test')).not.toContain('status:');
  });

  it('keeps at its listener over a reload, and shows the new certificate to who comes then', async () => {
    const { server, port } = await start(block(GOOD));
    const before = await dial(port);
    expect(before.getPeerCertificate().subject.CN).toBe('dns.test');
    await server.apply(corefile(block(`tls ${at('other.test.crt')} ${at('other.test.key')}`)));
    expect((await dial(port)).getPeerCertificate().subject.CN).toBe('other.test');
    before.write(query);
    expect(await receive(before, 1)).toBe(1);
    await expect(
      server.apply(corefile(block(`tls ${at('dns.test.crt')} ${at('other.test.key')}`))),
    ).rejects.toThrow(
      /plugin\/tls: Corefile:3 - Error during parsing: could not load TLS cert: .*key values mismatch/,
    );
    expect((await dial(port)).getPeerCertificate().subject.CN).toBe('other.test');
  });

  const auth: [mode: string, nobody: number, stranger: number, known: number][] = [
    ['nocert', 1, 1, 1],
    ['request', 1, 1, 1],
    ['require', 0, 1, 1],
    ['verify_if_given', 1, 0, 1],
    ['require_and_verify', 0, 0, 1],
  ];
  it.each(auth)('client_auth %s', async (mode, ...expected) => {
    const { port } = await start(block(`${GOOD} ${at('client.test.crt')} {\n client_auth ${mode}\n }`));
    // OpenSSL shows what it has; kdig would keep a certificate back that the server does not ask for by name.
    const answers: number[] = [];
    for (const name of [undefined, 'other.test', 'client.test']) {
      const socket = await dial(port, name);
      socket.write(query);
      answers.push(await receive(socket, 1));
    }
    expect(answers).toEqual(expected);
    const asked = await sClient(port, ...CLIENT, '-tls1_2');
    expect(/Client Certificate Types|Requested Signature Algorithms/.test(asked)).toBe(mode !== 'nocert');
  });

  it('closes who does not finish the handshake in time, and who speaks no TLS at all', async () => {
    const { port } = await start(block(`${GOOD}\n timeouts {\n  read 3s\n }`));
    const silent = connectPlain(port, '127.0.0.1');
    const plain = connectPlain(port, '127.0.0.1', () => plain.write(query));
    sockets.push(silent, plain);
    const closed = [silent, plain].map(
      (socket) =>
        new Promise<void>((resolve) =>
          socket
            .on('error', () => undefined)
            .once('close', () => resolve())
            .resume(),
        ),
    );
    await Promise.all(closed);
    const socket = await dial(port);
    socket.write(query);
    expect(await receive(socket, 1)).toBe(1);
  });

  it('lets go of who turns away during the handshake, whatever its time', async () => {
    const { port } = await start(block(`${GOOD}\n timeouts {\n  read 1h\n }`));
    const gone = connectPlain({ port, host: '127.0.0.1', allowHalfOpen: true }, () => gone.end());
    sockets.push(gone);
    await new Promise((resolve) =>
      gone
        .on('error', () => undefined)
        .once('end', resolve)
        .once('close', resolve)
        .resume(),
    );
  });

  it('answers who has said all and still reads', async () => {
    const { port } = await start(block(GOOD));
    const socket = await dial(port);
    socket.allowHalfOpen = true;
    socket.end(query);
    expect(await receive(socket, 1)).toBe(1);
  });

  it('closes a connection after as many queries as it may ask', async () => {
    const { port } = await start(block(`${GOOD}\n timeouts {\n  maxtcpqueries 3\n }`));
    const socket = await dial(port);
    socket.write(Buffer.concat(Array.from({ length: 10 }, () => query)));
    expect(await receive(socket, 10)).toBe(3);
  });

  it('writes the secrets of sessions where it is told', async () => {
    const { port } = await start(block(`${GOOD} {\n keylog ${at('keys')}\n }`));
    await kdig(port, '+tls', 'a.test');
    expect(readFileSync(at('keys'), 'utf8')).toMatch(/^(CLIENT|SERVER)_\w+ [0-9a-f]{64} [0-9a-f]+$/m);
  });

  it('refuses an encrypted key, which nobody is there to open', async () => {
    execFileSync(
      'openssl',
      ['ec', '-in', at('dns.test.key'), '-aes256', '-passout', 'pass:x', '-out', at('locked.key')],
      {
        stdio: 'pipe',
      },
    );
    writeFileSync(at('half.key'), readFileSync(at('dns.test.key')).subarray(0, 60));
    for (const key of ['locked.key', 'half.key'])
      await expect(start(block(`tls ${at('dns.test.crt')} ${at(key)}`))).rejects.toThrow(
        'could not load TLS cert: ',
      );
  });
});
