/** Clients that hoard connections, and say nothing or half a query: the server stays as small, and serves the others. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { encodeMessage } from '../../dns/encode-message.ts';
import { frameMessage } from '../../dns/frames.ts';
import { freePort } from '../../net/testing/free-ports.ts';
import { ask } from '../../plugins/fake-query.ts';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zerohop-connections-'));
const children: ChildProcess[] = [];
const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const HOARD = 10_000;
const AT_ONCE = 100;
const QUERY = frameMessage(encodeMessage(ask('a.test.').message));

const residentKb = (pid: number | undefined) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

async function dial(port: number, says: Uint8Array): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  if (says.length > 0) socket.write(says);
  return socket;
}

/** 4096 connections of 15 KB, those with half a query 4 KB more, and what the collector has not looked at yet. */
it.each([
  ['silent', new Uint8Array(0), 100_000],
  [
    'half of a query that is announced as the longest there is',
    Uint8Array.of(0xff, 0xff, ...new Uint8Array(4000)),
    150_000,
  ],
])('10,000 connections, %s', { timeout: 300_000 }, async (_name, says, mostGrowthKb) => {
  const port = await freePort();
  const conf = join(directory, `Corefile${port}`);
  // Only the bound of their number is to save the server, not that of their time.
  writeFileSync(conf, `.:${port} {\n bind 127.0.0.1\n timeouts {\n  read 1h\n  idle 1h\n }\n whoami\n}\n`);
  const child = spawn(process.execPath, [MAIN, 'dns', '-conf', conf], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of createInterface(child.stdout)) if (line.startsWith('CoreDNS-')) break;
  await once(await dial(port, QUERY), 'data');
  const before = residentKb(child.pid);
  for (let i = 0; i < HOARD; i += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => dial(port, says)));
  await once(await dial(port, QUERY), 'data');
  expect(residentKb(child.pid) - before).toBeLessThan(mostGrowthKb);
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
});
