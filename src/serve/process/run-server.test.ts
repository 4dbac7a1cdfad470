/** The real process: what it prints, how it ends. One process per case; each chooses its own ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'zerohop-run-'));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => rmSync(directory, { recursive: true }));

const COREFILE = '.:0 {\n  bind 127.0.0.1\n  reload 2s 0\n  whoami\n}\n';

/** Whole or not at all, for one who reads it at any moment. */
function replace(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

interface Run {
  readonly child: ChildProcess;
  readonly conf: string;
  output(): string;
  readonly ended: Promise<number | null>;
  /** Resolves when the output matches. */
  says(pattern: RegExp): Promise<void>;
}

function start(text: string, ...flags: string[]): Run {
  const conf = join(directory, `Corefile${Math.random()}`);
  writeFileSync(conf, text);
  const child = spawn(process.execPath, [MAIN, 'dns', '-conf', conf, ...flags], { stdio: 'pipe' });
  children.push(child);
  let output = '';
  const watchers = new Set<() => void>();
  const take = (chunk: Buffer) => {
    output += chunk.toString();
    for (const look of watchers) look();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  return {
    child,
    conf,
    output: () => output,
    ended: new Promise((resolve) => child.once('close', resolve)),
    says: (pattern) =>
      new Promise((resolve) => {
        const look = () => void (pattern.test(output) && resolve());
        watchers.add(look);
        look();
      }),
  };
}

const STARTED = /linux\/\w+, zerohop .*, \n/;

describe('zerohop dns', { timeout: 60_000 }, () => {
  it('prints zones, hash and version in this order, and ends with 0 on SIGTERM', async () => {
    const pidfile = join(directory, 'pid');
    const run = start(COREFILE, '-pidfile', pidfile);
    await run.says(STARTED);
    expect(run.output()).toMatch(
      /^\.:0 on 127\.0\.0\.1\n\[INFO\] plugin\/reload: Running configuration SHA512 = [0-9a-f]{128}\nCoreDNS-\d+\.\d+\.\d+\nlinux\//,
    );
    expect(readFileSync(pidfile, 'utf8')).toBe(`${run.child.pid}\n`);
    run.child.kill('SIGHUP');
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
    expect(run.output()).toMatch(/\[INFO\] SIGTERM: Shutting down servers then terminating\n$/);
    expect(() => readFileSync(pidfile)).toThrow('ENOENT');
  });

  it('reloads on SIGUSR1, keeps serving with a bad file, and quits on SIGQUIT', async () => {
    // At first it does not look by itself, so that the signal is what it reloads for.
    const run = start(COREFILE.replace('2s', '1h'), '-quiet');
    await run.says(/SHA512/);
    replace(run.conf, COREFILE.replace('whoami', 'log\n  whoami'));
    run.child.kill('SIGUSR1');
    await run.says(/\[INFO\] Reloading complete\n/);
    expect(run.output()).toContain('[INFO] SIGUSR1: Reloading\n[INFO] Reloading\n');
    replace(run.conf, COREFILE.replace('whoami', 'health nonsense'));
    await run.says(/plugin\/reload: Corefile changed but reload failed/);
    expect(run.output()).toMatch(/\[ERROR\] Restart failed: plugin\/health: .*:4 - /);
    run.child.kill('SIGQUIT');
    expect(await run.ended).toBe(0);
  });

  const WAITING =
    '.:0 {\n  bind 127.0.0.1\n  kubernetes cluster.local {\n    endpoint http://127.0.0.1:1\n    startup_timeout 3s\n  }\n}\n';

  it('puts a reload off until it has started', async () => {
    const run = start(WAITING);
    await run.says(/waiting for Kubernetes API/);
    run.child.kill('SIGUSR1');
    await run.says(/SIGUSR1: Reloading\n/);
    expect(run.output()).toMatch(/zerohop .*, \n\[INFO\] SIGUSR1: Reloading\n/);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
  });

  it('can be ended while it waits for the cluster', async () => {
    const run = start(WAITING.replace('3s', '1h'));
    await run.says(/waiting for Kubernetes API/);
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
    expect(run.output()).toMatch(/\[INFO\] SIGTERM: Shutting down servers then terminating\n$/);
  });

  it('quits at once also while it is a lame duck, and reloads nothing any more', async () => {
    const pidfile = join(directory, 'lameduck.pid');
    const run = start(
      '.:0 {\n  bind 127.0.0.1\n  health 127.0.0.1:0 {\n    lameduck 1h\n  }\n}\n',
      '-pidfile',
      pidfile,
    );
    await run.says(STARTED);
    run.child.kill('SIGTERM');
    await run.says(/Going into lameduck mode for 1h0m0s/);
    run.child.kill('SIGUSR1');
    run.child.kill('SIGQUIT');
    expect(await run.ended).toBe(0);
    expect(run.output()).toMatch(/1h0m0s\n\[INFO\] SIGQUIT: Quitting process immediately\n$/);
    expect(() => readFileSync(pidfile)).toThrow('ENOENT');
  });

  const fatal: [name: string, text: string, output: RegExp][] = [
    [
      'an unknown directive',
      '. {\n nosuch\n}',
      /^\S+:2 - Error during parsing: Unknown directive 'nosuch'\n/,
    ],
    ['a bad key', 'example.org: {\n}', /^error inspecting server blocks: expecting data after last colon/],
    ['a zone twice', '. {\n}\n. {\n}', /^cannot serve dns:\/\/\.:53 - it is already defined\n/],
  ];
  it.each(fatal)('ends with 1 for %s', async (_name, text, output) => {
    const run = start(text);
    expect(await run.ended).toBe(1);
    expect(run.output()).toMatch(output);
  });
});
