/** The program itself twice on one port, as during an upgrade: when one is told to end, its clients notice nothing. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, test } from 'vitest';
import { encodeMessage } from '../dns/encode-message.ts';
import { plainQuery } from '../dns/plain-query.ts';
import { name } from '../dns/testing/packets.ts';
import { freePort } from '../net/testing/free-ports.ts';
import { PATIENTLY } from './testing/udp-conformance.ts';

const PROGRAM = fileURLToPath(new URL('../cli/boot/zerohop.mjs', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zerohop-two-'));
afterAll(() => rmSync(directory, { recursive: true }));

const MOST_UNDER_WAY = 1000;

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** Resolves when it serves. */
async function start(port: number, threads: number): Promise<ChildProcess> {
  const corefile = join(directory, 'Corefile');
  writeFileSync(corefile, `.:${port} {\n bind 127.0.0.1\n cache\n whoami\n}\n`);
  const args = [PROGRAM, 'dns', '-conf', corefile, '-packet-threads', String(threads)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.push(child);
  for await (const line of createInterface(child.stdout)) if (line.startsWith('CoreDNS-')) return child;
  throw new Error('it ended before it served');
}

test('a server that ends leaves its packets to the other one on the port, and loses none', async () => {
  const port = await freePort();
  const [first] = [await start(port, 1), await start(port, 1)];
  const wire = encodeMessage(plainQuery({ name: name('a.test.'), type: 1 }, { recursionDesired: true }));
  const clients = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const client = createSocket('udp4').bind(0, '127.0.0.1');
      await once(client, 'listening');
      client.setRecvBufferSize(1 << 20);
      return client;
    }),
  );
  let sent = 0;
  let answered = 0;
  for (const client of clients) client.on('message', () => void answered++);
  const load = setInterval(() => {
    // More than a socket has room for would be lost by a server that is kept from the processor, whoever it leaves them to.
    if (sent - answered > MOST_UNDER_WAY) return;
    for (const client of clients) client.send(wire, port, '127.0.0.1');
    sent += clients.length;
  }, 3);
  await expect.poll(() => answered, PATIENTLY).toBeGreaterThan(500);
  const ended = once(first, 'exit');
  first.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  const since = answered;
  await expect.poll(() => answered, PATIENTLY).toBeGreaterThan(since + 500);
  clearInterval(load);
  await expect.poll(() => answered, PATIENTLY).toBe(sent);
  for (const client of clients) client.close();
});
