/** The real process and its admin socket: there while it runs, and nowhere afterwards. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'zerohop-door-'));
const conf = join(scratch, 'Corefile');
writeFileSync(conf, '.:0 {\n  bind 127.0.0.1\n  log\n  cache\n  whoami\n}\n');
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(scratch, { recursive: true }));

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output(): string;
}

function start(runDirectory: string, ...flags: string[]): Promise<Running> {
  const env = { ...process.env, ZEROHOP_RUN_DIR: runDirectory };
  const child = spawn(process.execPath, [MAIN, 'dns', '-conf', conf, ...flags], { stdio: 'pipe', env });
  children.push(child);
  let output = '';
  const { promise, resolve } = Promise.withResolvers<Running>();
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const running = { child, ended, output: () => output };
  const take = (chunk: Buffer) => {
    output += chunk.toString();
    if (output.includes('linux/')) resolve(running);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  void ended.then(() => resolve(running));
  return promise;
}

let count = 0;
const freshDirectory = () => join(scratch, `run${count++}`);

function zerohop(runDirectory: string, ...args: string[]): string {
  return execFileSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
    env: { ...process.env, ZEROHOP_RUN_DIR: runDirectory },
  });
}

describe('the admin socket of a server', { timeout: 60_000 }, () => {
  it('is found by the commands, which see and change what they are for', async () => {
    const run = freshDirectory();
    const { child, ended } = await start(run);
    expect(readdirSync(run)).toEqual([`dns-${child.pid}.sock`]);
    expect(zerohop(run, 'log', 'level')).toBe('info\n');
    expect(zerohop(run, 'log', 'level', 'warning')).toBe('warning\n');
    expect(zerohop(run, 'log', 'level')).toBe('warning\n');
    expect(() => zerohop(run, 'log', 'level', 'loud')).toThrow('debug, info, warning, error');
    expect(zerohop(run, 'cache', 'stats')).toMatch(/^memory \d+ of 65536 KiB\n/);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(readdirSync(run)).toEqual([]);
  });

  it.each<[signals: string, send: (child: ChildProcess) => void]>([
    ['SIGQUIT', (child) => child.kill('SIGQUIT')],
    ['SIGINT twice', (child) => [child.kill('SIGINT'), child.kill('SIGINT')]],
  ])('goes with the process at %s', async (_name, send) => {
    const run = freshDirectory();
    const { child, ended } = await start(run);
    send(child);
    await ended;
    expect(readdirSync(run)).toEqual([]);
  });

  it('is cleared away by the next one after a kill', async () => {
    const run = freshDirectory();
    const first = await start(run);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(readdirSync(run)).toHaveLength(1);
    const second = await start(run);
    expect(readdirSync(run)).toEqual([`dns-${second.child.pid}.sock`]);
  });

  it('is done without, silently, where it cannot be made', async () => {
    const { child, output } = await start('/proc/zerohop');
    expect(output()).not.toMatch(/admin|\[(WARNING|ERROR)\]/);
    expect(child.exitCode).toBeNull();
  });

  it('is not made when it is not wanted', async () => {
    const run = freshDirectory();
    await start(run, '-admin-socket', '');
    expect(() => readdirSync(run)).toThrow('ENOENT');
  });

  it('is at a path that was named', async () => {
    const path = join(scratch, 'named.sock');
    const { child, ended } = await start(freshDirectory(), '-admin-socket', path);
    expect(zerohop(scratch, 'log', 'level', '--socket', path)).toBe('info\n');
    const second = await start(freshDirectory(), '-admin-socket', path);
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain('Cannot open the admin socket: another server has it');
    child.kill('SIGTERM');
    await ended;
    expect(readdirSync(scratch)).not.toContain('named.sock');
  });

  it.each([
    ['a folder that is missing', join(scratch, 'missing', 'a.sock'), 'ENOENT|EACCES'],
    ['a file of another kind', conf, 'this is no socket'],
  ])('ends the start with one error when it was to be at %s', async (_name, path, reason) => {
    const { ended, output } = await start(freshDirectory(), '-admin-socket', path);
    expect(await ended).toBe(1);
    expect(output()).toMatch(new RegExp(`Cannot open the admin socket: .*(${reason})`));
  });
});
