/** A server whose log nobody reads: it answers as before, stays as small, and tells the reader once he is back. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { encodeMessage } from '../../dns/encode-message.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import { ask } from '../../plugins/fake-query.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zerohop-slow-log-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const QUERY = encodeMessage(ask('a-name-that-makes-the-line-longer.default.svc.cluster.local.').message);

/** A burst that was lost in part is not waited for much longer than it takes; what must be answered has a minute. */
const BURST_MS = 2000;
const PATIENCE_MS = 60_000;

/** Resolves with how many of `count` were answered in time. */
function askMany(client: Socket, port: number, count: number, withinMs = BURST_MS): Promise<number> {
  return new Promise((resolve) => {
    let answered = 0;
    const done = () => {
      client.removeAllListeners('message');
      resolve(answered);
    };
    const timer = setTimeout(done, withinMs);
    client.on('message', () => {
      if (++answered < count) return;
      clearTimeout(timer);
      done();
    });
    for (let i = 0; i < count; i++) client.send(QUERY, port, '127.0.0.1');
  });
}

const residentKb = (pid: number | undefined) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

function readAll(fd: number): string {
  const buffer = Buffer.alloc(1 << 16);
  let text = '';
  try {
    for (;;) text += buffer.toString('utf8', 0, readSync(fd, buffer));
  } catch {
    return text; // empty for now
  }
}

it('goes on answering, within bounds', { timeout: 180_000 }, async () => {
  const port = await freePort();
  const conf = join(directory, 'Corefile');
  const fifo = join(directory, 'stdout');
  writeFileSync(conf, `.:${port} {\n bind 127.0.0.1\n log\n whoami\n}\n`);
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const stdout = openSync(fifo, constants.O_WRONLY);
  const child = spawn(process.execPath, [MAIN, 'dns', '-conf', conf], {
    stdio: ['ignore', stdout, 'inherit'],
  });
  closeSync(stdout);
  children.push(child);
  const client = createSocket('udp4');
  // It answers before it has printed the last line of its start.
  for (let banner = ''; !banner.includes('\nlinux/'); banner += readAll(reader)) await pause(20);
  for (let i = 0; i < 100; i++) await askMany(client, port, 100);
  const before = residentKb(child.pid);
  for (let i = 0; i < 300; i++) await askMany(client, port, 100);
  expect(await askMany(client, port, 50, PATIENCE_MS)).toBe(50);
  expect(residentKb(child.pid) - before).toBeLessThan(20_000);

  let text = '';
  while (!/Lost \d+ lines/.test(text)) {
    text += readAll(reader);
    await pause(20);
  }
  expect(await askMany(client, port, 1, PATIENCE_MS)).toBe(1);
  await pause(100);
  text += readAll(reader);
  const lines = text.split('\n').slice(0, -1);
  const odd = lines.filter(
    (line) => !/^\[INFO\] 127\.0\.0\.1:\d+ - 4711 "A IN a-name.*" NOERROR qr,aa,rd \d+ [\d.]+s$/.test(line),
  );
  expect(odd).toEqual([expect.stringMatching(/^\[WARNING\] Lost \d+ lines of the log: /)]);
  client.close();
  closeSync(reader);
});
