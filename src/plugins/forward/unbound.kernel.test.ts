/** A real Unbound as upstream: TCP, TLS, truncation, its death under load and its return. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RCODE } from '../../dns/codes.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import type { Query, Reply } from '../../server/handler.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { type FakeHost, fakeHost, setUp } from '../fake-host.ts';
import { ask } from '../fake-query.ts';
import { setup } from './setup.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-unbound-'));
const at = (file: string) => join(directory, file);
let port = 0;
let tlsPort = 0;
let unbound: ChildProcess | undefined;
const WAIT_MS = 20_000;

/** Answers `*.test.` out of its head, `big.test.` with more than a datagram holds, and nobody else is asked. */
function writeConfiguration(): void {
  const big = Array.from({ length: 200 }, (_, i) => `  local-data: "big.test. 60 A 192.0.2.${i}"`).join('\n');
  writeFileSync(
    at('unbound.conf'),
    `server:
  interface: 127.0.0.1@${port}
  interface: 127.0.0.1@${tlsPort}
  tls-port: ${tlsPort}
  tls-service-key: "${at('key.pem')}"
  tls-service-pem: "${at('cert.pem')}"
  module-config: "iterator"
  use-syslog: no
  verbosity: 0
  incoming-num-tcp: 20
  username: ""
  chroot: ""
  pidfile: ""
  directory: "${directory}"
  logfile: "unbound.log"
  local-zone: "test." redirect
  local-data: "test. 60 A 192.0.2.1"
  local-zone: "big.test." static
${big}
remote-control:
  control-enable: no
`,
  );
}

async function startUnbound(): Promise<void> {
  unbound = spawn('unbound', ['-d', '-c', at('unbound.conf')], { stdio: 'ignore' });
  for (const deadline = performance.now() + WAIT_MS; performance.now() < deadline; ) {
    if (await answers(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('Unbound did not start');
}

async function answers(on: number): Promise<boolean> {
  const socket = connect(on, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function endUnbound(): Promise<void> {
  if (unbound === undefined || unbound.exitCode !== null || unbound.signalCode !== null) return;
  const gone = once(unbound, 'exit');
  unbound.kill('SIGKILL');
  await gone;
}

beforeAll(async () => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const name = ['-subj', '/CN=dns.test', '-addext', 'subjectAltName=DNS:dns.test'];
  const files = ['-days', '2', '-keyout', at('key.pem'), '-out', at('cert.pem')];
  execFileSync('openssl', ['req', '-x509', ...key, ...name, ...files], { stdio: 'pipe' });
  port = await freePort();
  tlsPort = await freePort();
  writeConfiguration();
  await startUnbound();
});

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
afterAll(async () => {
  await endUnbound();
  rmSync(directory, { recursive: true });
});

function forwarder(lines: string): { host: FakeHost; run(query: Query): Promise<Reply> } {
  const host = { ...fakeHost({ directory }), clock: systemClock } as unknown as FakeHost;
  const instance = setUp(setup, lines, { host });
  cleanUps.push(() => instance.onShutdown?.());
  const handler = instance.plugin?.(() => ({ rcode: RCODE.NXDOMAIN }));
  if (handler === undefined) throw new Error('no plugin');
  return { host, run: async (query) => handler(query) };
}

const addressOf = ({ message }: Reply) => message?.answers[0] && recordAddress(message.answers[0]);

async function askMany(run: (query: Query) => Promise<Reply>, count: number, prefix = 'n'): Promise<Reply[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => run(ask(`${prefix}${i}.test.`))));
}

describe('forward to Unbound', () => {
  it.each([
    ['UDP', () => `forward . 127.0.0.1:${port}`],
    ['TCP', () => `forward . 127.0.0.1:${port} {\nforce_tcp\n}`],
    ['TLS', () => `forward . tls://127.0.0.1%dns.test:${tlsPort} {\ntls cert.pem\n}`],
  ])('relays 500 answers by %s', async (_case, lines) => {
    const { run } = forwarder(lines());
    for (let round = 0; round < 10; round++) {
      const replies = await askMany(run, 50, `r${round}n`);
      expect(replies.map(addressOf)).toEqual(Array(50).fill('192.0.2.1'));
      expect(replies.map(({ message }) => message?.questions[0]?.name)).toEqual(
        replies.map((_, i) => `r${round}n${i}.test.`),
      );
    }
  });

  it.each([
    ['TCP', 'tcp', () => `forward . 127.0.0.1:${port} {\nforce_tcp\n}`],
    ['TLS', 'tcp-tls', () => `forward . tls://127.0.0.1%dns.test:${tlsPort} {\ntls cert.pem\n}`],
  ])('puts many questions on one %s connection', async (_case, proto, lines) => {
    const { host, run } = forwarder(lines());
    for (let round = 0; round < 20; round++) await askMany(run, 15, `p${round}n`);
    const to = `127.0.0.1:${proto === 'tcp' ? port : tlsPort}`;
    const labels = `{proto="${proto}",proxy_name="forward",to="${to}"}`;
    expect(await host.metric(`coredns_proxy_conn_cache_misses_total${labels}`)).toBe(1);
    expect(await host.metric(`coredns_proxy_conn_cache_hits_total${labels}`)).toBe(299);
  });

  it('passes a truncated answer on, and fetches it whole by TCP with prefer_udp', async () => {
    const plain = forwarder(`forward . 127.0.0.1:${port}`);
    const cut = await plain.run(ask('big.test.'));
    expect(cut.message?.flags.truncated).toBe(true);
    expect((await plain.run(ask('big.test.', 'A', { transport: 'tcp' }))).message?.answers).toHaveLength(200);
    const whole = forwarder(`forward . 127.0.0.1:${port} {\nprefer_udp\n}`);
    expect((await whole.run(ask('big.test.'))).message?.answers).toHaveLength(200);
  });

  it.each([
    ['UDP', ''],
    ['TCP', 'force_tcp'],
  ])(
    'by %s: notices that it died under load, fails at once while it is away, and takes it back',
    async (_case, option) => {
      const options = `max_fails 1\nhealth_check 20ms domain probe.test\nfailfast_all_unhealthy_upstreams\n${option}`;
      const { run } = forwarder(`forward . 127.0.0.1:${port} {\n${options}\n}`);
      expect((await askMany(run, 50)).every(({ rcode }) => rcode === RCODE.NOERROR)).toBe(true);
      const load = askMany(run, 200, 'dying');
      await endUnbound();
      for (const { rcode } of await load) expect([RCODE.NOERROR, RCODE.SERVFAIL]).toContain(rcode);
      await reached(run, ({ error }) => error?.message === 'no healthy proxies');
      await startUnbound();
      await reached(run, ({ rcode }) => rcode === RCODE.NOERROR);
      expect((await askMany(run, 50, 'back')).every(({ rcode }) => rcode === RCODE.NOERROR)).toBe(true);
    },
  );
});

async function reached(
  run: (query: Query) => Promise<Reply>,
  isSo: (reply: Reply) => boolean,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  for (let i = 0; performance.now() < deadline; i++) {
    if (isSo(await run(ask(`until${i}.test.`)))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('what the test waits for did not happen');
}
