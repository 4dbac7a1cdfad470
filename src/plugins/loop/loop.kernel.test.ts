/** The whole program with a Corefile that leads back to itself, and one that does not. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../net/testing/free-ports.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const directory = mkdtempSync(join(tmpdir(), 'zerohop-loop-'));
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

function start(corefile: string): { child: ChildProcess; output: () => string } {
  const file = join(directory, 'Corefile');
  writeFileSync(file, corefile);
  const main = join(root, 'src', 'cli', 'main.ts');
  const child = spawn(process.execPath, [main, 'dns', '-conf', file], { cwd: directory });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  return { child, output: () => text };
}

describe('a server whose upstream is itself', () => {
  it.each([
    ['on one address', 'bind 127.0.0.1', '127\\.0\\.0\\.1:PORT', ''],
    ['on all addresses', '', ':PORT', ''],
    ['by TCP', 'bind 127.0.0.1', '127\\.0\\.0\\.1:PORT', '{\n force_tcp\n}'],
  ])(
    '%s ends with exit code 1 and the line that operators search for',
    async (_case, bind, listener, options) => {
      const port = await freePort();
      const { child, output } = start(
        `.:${port} {\n${bind}\n errors\n loop\n forward . 127.0.0.1:${port} ${options}\n}\n`,
      );
      // Not `exit`: its last line may come after that.
      const [code] = await once(child, 'close');
      expect(code).toBe(1);
      const path = `\\(127\\.0\\.0\\.1:\\d+ -> ${listener.replace('PORT', String(port))}\\)`;
      const query = 'Query: "HINFO \\d+\\.\\d+\\."';
      const advice = 'see https://coredns\\.io/plugins/loop#troubleshooting\\.';
      expect(output()).toMatch(
        new RegExp(`\\[FATAL\\] plugin/loop: Loop ${path} detected for zone "\\.", ${advice} ${query}`),
      );
    },
  );
});

describe('a server whose upstream is another', () => {
  it('goes on', async () => {
    const upstream = createSocket('udp4');
    const asked: Buffer[] = [];
    upstream.on('message', (bytes, from) => {
      asked.push(bytes);
      // The question with QR set and the rcode NXDOMAIN is an answer.
      const reply = Buffer.from(bytes);
      reply.writeUInt16BE(0x8183, 2);
      upstream.send(reply, from.port, from.address);
    });
    await new Promise<void>((resolve) => upstream.bind(0, '127.0.0.1', resolve));
    const { child, output } = start(
      `.:${await freePort()} {\n bind 127.0.0.1\n errors\n loop\n forward . 127.0.0.1:${upstream.address().port}\n}\n`,
    );
    await expect.poll(() => asked.length, { timeout: 30_000 }).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(asked).toHaveLength(1);
    expect(child.exitCode).toBeNull();
    expect(output()).not.toContain('Loop');
    upstream.close();
  });
});
