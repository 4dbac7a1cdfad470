/** The real program, one after the other on the same sockets, while clients ask all the time. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../net/testing/free-ports.ts';
import { type SteadyLoad, startLoad } from './testing/steady-load.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'zerohop-takeover-'));
const env = { ...process.env, ZEROHOP_RUN_DIR: join(scratch, 'run') };
const children: ChildProcess[] = [];
const loads: SteadyLoad[] = [];
afterEach(async () => {
  for (const load of loads.splice(0)) await load.close();
  const ended = children.map((child) => new Promise((resolve) => child.once('close', resolve)));
  const isRunning = children.map((child) => child.exitCode === null && child.signalCode === null);
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(ended.filter((_, i) => isRunning[i]));
  rmSync(env.ZEROHOP_RUN_DIR, { recursive: true, force: true });
});
afterAll(() => rmSync(scratch, { recursive: true }));

const HANDOVERS = 5;
/** A server gives way to its clients, and starts all the later on a machine that is busy with other things. */
const PATIENTLY = { timeout: 60_000 };

interface Server {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
  says(pattern: RegExp): Promise<void>;
}

function start(corefile: string, ...flags: string[]): Server {
  return startWithin([], corefile, ...flags);
}

/** `wrapper` is a command that runs the one behind it. */
function startWithin(wrapper: readonly string[], corefile: string, ...flags: string[]): Server {
  const conf = join(scratch, `Corefile${Math.random()}`);
  writeFileSync(conf, corefile);
  const [program = '', ...words] = [...wrapper, process.execPath, MAIN, 'dns', '-conf', conf, ...flags];
  const child = spawn(program, words, { stdio: 'pipe', env });
  children.push(child);
  let output = '';
  const take = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  return {
    child,
    ended: new Promise((resolve) => child.once('close', resolve)),
    output: () => output,
    says: (pattern) => expect.poll(() => output, PATIENTLY).toMatch(pattern),
  };
}

async function started(corefile: string, ...flags: string[]): Promise<Server> {
  const server = start(corefile, ...flags);
  await server.says(/linux\//);
  return server;
}

async function loadOn(port: number): Promise<SteadyLoad> {
  const load = await startLoad(['127.0.0.1', '::1'], port);
  loads.push(load);
  return load;
}

/** By the server that is there now, however soon the next one is ready. */
async function untilAsked({ counts }: SteadyLoad): Promise<void> {
  const goal = { sent: counts.sent + 500, tcpAnswered: counts.tcpAnswered + 20 };
  await expect.poll(() => counts.sent, PATIENTLY).toBeGreaterThanOrEqual(goal.sent);
  await expect.poll(() => counts.tcpAnswered, PATIENTLY).toBeGreaterThanOrEqual(goal.tcpAnswered);
}

function corefile(port: number, { bind = '', answer = '192.0.2.7' } = {}): string {
  return `example.org:${port} {
  ${bind}
  cache 300
  template IN A {
    answer "{{ .Name }} 300 IN A ${answer}"
  }
}
`;
}

function dig(port: number, name: string): { address: string; ttl: number; flags: string } {
  const args = [
    '@127.0.0.1',
    '-p',
    String(port),
    name,
    '+noall',
    '+answer',
    '+comments',
    '+time=15',
    '+tries=1',
  ];
  const text = execFileSync('dig', args, { encoding: 'utf8' });
  const [, ttl, address = ''] = /^[^;\s]+\s+(\d+)\s+IN\s+A\s+(\S+)$/m.exec(text) ?? [];
  return { address, ttl: Number(ttl), flags: /flags: ([a-z ]+);/.exec(text)?.[1] ?? '' };
}

describe('one process taking over from another', { timeout: 300_000 }, () => {
  it.each([
    { name: 'bound addresses', bind: 'bind 127.0.0.1 ::1', threads: [1] },
    { name: 'the wildcard', bind: '', threads: [1] },
    { name: 'more packet threads, and fewer', bind: '', threads: [1, 3, 2] },
    { name: 'the main thread', bind: 'bind 127.0.0.1 ::1', threads: [0] },
    { name: 'the main thread and packet threads by turns', bind: 'bind 127.0.0.1 ::1', threads: [0, 2] },
  ])('loses no query in five hand-overs: $name', async ({ bind, threads }) => {
    const port = await freePort();
    const flags = (i: number) => ['-packet-threads', String(threads[i % threads.length])];
    let server = await started(corefile(port, { bind }), ...flags(0));
    const load = await loadOn(port);
    for (let i = 0; i < HANDOVERS; i++) {
      const next = await started(corefile(port, { bind }), ...flags(i + 1), '-takeover', 'auto');
      expect(await server.ended).toBe(0);
      expect(server.output()).toContain('has taken over');
      server = next;
      await untilAsked(load);
    }
    await load.stop();
    const { counts } = load;
    await expect.poll(() => counts.answered, PATIENTLY).toBe(counts.sent);
    expect(counts.tcpFailed).toEqual([]);
    expect(readdirSync(env.ZEROHOP_RUN_DIR)).toHaveLength(1);
  });

  it('goes on with the cached answers, which go on ageing', async () => {
    const port = await freePort();
    const old = await started(corefile(port, { answer: '192.0.2.1' }));
    const flags = 'qr aa rd';
    expect(dig(port, 'a.example.org')).toEqual({ address: '192.0.2.1', ttl: 300, flags });
    await pause(2100);
    await started(corefile(port, { answer: '192.0.2.2' }), '-takeover', String(old.child.pid));
    await old.ended;
    const again = dig(port, 'a.example.org');
    expect(again).toMatchObject({ address: '192.0.2.1', flags });
    expect(again.ttl).toBeLessThanOrEqual(298);
    expect(again.ttl).toBeGreaterThan(250);
    expect(dig(port, 'b.example.org').address).toBe('192.0.2.2');
  });

  it('loses nothing to a successor that cannot open its admin socket, after it has begun to serve', async () => {
    const port = await freePort();
    const old = await started(corefile(port));
    const load = await loadOn(port);
    const path = join(scratch, 'missing', 'admin.sock');
    const next = start(corefile(port), '-takeover', 'auto', '-admin-socket', path);
    expect(await next.ended).toBe(1);
    expect(next.output()).toContain('Cannot open the admin socket');
    await old.says(/this one goes on/);
    await load.stop();
    const { counts } = load;
    await expect.poll(() => counts.answered, PATIENTLY).toBe(counts.sent);
    expect(counts.tcpFailed).toEqual([]);
    expect(old.child.exitCode).toBeNull();
  });

  it.each<[name: string, spoil: (text: string) => string, kill: boolean]>([
    ['a Corefile that is wrong', (text) => text.replace('cache 300', 'nosuch'), false],
    ['an address that is not there', (text) => `${text}b.org {\n  bind 192.0.2.99\n}\n`, false],
    ['a kill in the middle', (text) => `${text}b.org:0 {\n ${WAITING}\n}\n`, true],
  ])('leaves the running one as it was after %s', async (_name, spoil, kill) => {
    const port = await freePort();
    const old = await started(corefile(port));
    const load = await loadOn(port);
    const next = start(spoil(corefile(port)), '-takeover', 'auto');
    if (kill) {
      await old.says(/is about to take over/);
      next.child.kill('SIGKILL');
      await old.says(/ended before it could take over: this one goes on/);
    } else expect(await next.ended).toBe(1);
    await pause(300);
    await load.stop();
    const { counts } = load;
    await expect.poll(() => counts.answered, PATIENTLY).toBe(counts.sent);
    expect(counts.tcpFailed).toEqual([]);
    expect(old.child.exitCode).toBeNull();
    const third = await started(corefile(port), '-takeover', 'auto');
    expect(await old.ended).toBe(0);
    expect(third.child.exitCode).toBeNull();
  });

  it('goes on by itself when the other one is killed in the middle', async () => {
    const port = await freePort();
    const old = await started(corefile(port));
    const waiting = WAITING.replace('1h', '6s');
    const next = start(`${corefile(port)}b.org:0 {\n ${waiting}\n}\n`, '-takeover', 'auto');
    await old.says(/is about to take over/);
    old.child.kill('SIGKILL');
    await next.says(/The process before had ended by itself/);
    expect(dig(port, 'a.example.org').address).toBe('192.0.2.7');
  });

  it('starts as ever where nobody is left, and says so in a line', async () => {
    const port = await freePort();
    const alone = await started(corefile(port), '-takeover', 'auto');
    expect(alone.output()).toContain('[INFO] Nobody to take over from (-takeover auto): starting as ever\n');
    expect(dig(port, 'a.example.org').address).toBe('192.0.2.7');
  });

  it('leaves a process alone that is in another network', async () => {
    const port = await freePort();
    const old = await started(corefile(port));
    const stranger = startWithin(['unshare', '--net'], corefile(port), '-takeover', 'auto');
    await stranger.says(/the successor is in another network.*starting as ever.*linux/s);
    expect(old.child.exitCode).toBeNull();
    expect(old.output()).not.toContain('take over');
  });

  it('keeps the first process of a container until it is told to end', async () => {
    const port = await freePort();
    const old = startWithin(['unshare', '--pid', '--fork', '--kill-child'], corefile(port));
    await old.says(/linux/);
    expect(readdirSync(env.ZEROHOP_RUN_DIR)).toEqual(['dns-1.sock']);
    await started(corefile(port), '-takeover', '1');
    await old.says(/Handed over: waiting for the signal/);
    expect(dig(port, 'a.example.org').address).toBe('192.0.2.7');
    expect(old.child.exitCode).toBeNull();
  });

  it('leaves an admin socket that was named to the successor', async () => {
    const port = await freePort();
    const path = join(scratch, 'named.sock');
    const flags = ['-admin-socket', path, '-takeover', path];
    const old = await started(corefile(port), ...flags);
    const next = await started(corefile(port), ...flags);
    expect(await old.ended).toBe(0);
    expect(readdirSync(scratch)).toContain('named.sock');
    next.child.kill('SIGTERM');
    await next.ended;
    expect(readdirSync(scratch)).not.toContain('named.sock');
  });

  it('hands DNS over TLS over as well', async () => {
    const port = await freePort();
    const [key, certificate] = [join(scratch, 'dns.key'), join(scratch, 'dns.crt')];
    const words =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=dns.test';
    execFileSync('openssl', [...words.split(' '), '-keyout', key, '-out', certificate], { stdio: 'pipe' });
    const text = corefile(port)
      .replace('example.org', 'tls://example.org')
      .replace('cache', `tls ${certificate} ${key}\n cache`);
    const old = await started(text);
    const next = await started(text, '-takeover', 'auto');
    expect(await old.ended).toBe(0);
    expect(next.output()).toContain('Taking over 2 sockets');
    const args = ['@127.0.0.1', '-p', String(port), '+tls', '+short', 'a.example.org'];
    expect(execFileSync('kdig', args, { encoding: 'utf8' })).toBe('192.0.2.7\n');
  });

  it('hands pages over as well, and takes them where the other one had them', async () => {
    const [port, health] = [await freePort(), await freePort()];
    const text = corefile(port).replace('cache 300', `cache 300\n  health :${health}`);
    const old = await started(text);
    const next = await started(text, '-takeover', 'auto');
    expect(await old.ended).toBe(0);
    const page = await fetch(`http://127.0.0.1:${health}/health`);
    expect(await page.text()).toBe('OK');
    expect(next.child.exitCode).toBeNull();
  });
});

const WAITING = `bind 127.0.0.1
 kubernetes cluster.local {
  endpoint http://127.0.0.1:1
  startup_timeout 1h
 }`;
