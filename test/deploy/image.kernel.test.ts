/**
 * What the Dockerfile's steps come to, without a container engine: its COPY and RUN steps are done in a directory, with
 * `npm ci` replaced by the same packages out of this tree. From that directory alone, mounted read-only, the program
 * runs as the manifests run it. Not shown here: the base images, the Debian packages, and arm64.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHubble } from '../../src/hubble/client.ts';
import { freePorts } from '../../src/net/testing/free-ports.ts';
import { contextFiles, ROOT, readDockerfile } from './dockerfile.ts';

const home = mkdtempSync(join(tmpdir(), 'zerohop-image-'));
const built = join(home, 'build');
const image = join(home, 'image');
const NOBODY = 65532;
const running: ChildProcess[] = [];

beforeAll(() => {
  const [build, final] = readDockerfile();
  mkdirSync(built);
  for (const { word, rest } of build?.steps ?? []) {
    if (word === 'COPY') copyFromTree(rest);
    else if (word === 'RUN' && rest.startsWith('npm ci')) copyPackages();
    else if (word === 'RUN') runWithoutNetwork(rest);
  }
  for (const { word, rest } of final?.steps ?? []) {
    if (word !== 'COPY') continue;
    const [from, source = '', target = ''] = rest.startsWith('--from=')
      ? rest.split(' ')
      : ['', ...rest.split(' ')];
    const base = from === '' ? ROOT : built;
    cpSync(join(base, source.replace('/opt/zerohop/', '')), join(image, target), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  execFileSync('chmod', ['-R', 'go+rX', home]);
}, 180_000);

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});

/** What comes after the packages needs nothing from outside, and must not meet ports that are taken on this machine. */
function runWithoutNetwork(command: string): void {
  const script = `ip link set lo up; ${command}`;
  execFileSync('unshare', ['-n', 'sh', '-ec', script], { cwd: built, stdio: 'pipe' });
}

function copyFromTree(rest: string): void {
  const sources = rest.split(' ').slice(0, -1);
  for (const path of contextFiles()) {
    if (!sources.some((source) => path === source || path.startsWith(`${source}/`))) continue;
    mkdirSync(dirname(join(built, path)), { recursive: true });
    cpSync(join(ROOT, path), join(built, path));
  }
}

/** What `npm ci --omit=dev` brings: all of the lockfile that is not for development and is there for this platform. */
function copyPackages(): void {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  for (const [path, { dev, devOptional }] of Object.entries(packages)) {
    const wanted = path !== '' && dev !== true && devOptional !== true && !path.includes('@biomejs');
    if (wanted && existsSync(join(ROOT, path)))
      cpSync(join(ROOT, path), join(built, path), { recursive: true });
  }
}

/** In a mount namespace of its own where the image cannot be written; as `user`, with these capabilities and no others. */
function confined(command: readonly string[], user: number, capabilities: readonly string[] = []): string[] {
  const bounds = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const drop = ['setpriv', '--no-new-privs', `--bounding-set=${bounds}`, `--inh-caps=${bounds}`];
  const identity = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
  const script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  return ['-m', 'sh', '-c', script, image, ...drop, ...identity, ...command];
}

const zerohop = (args: readonly string[]) => [join(image, 'opt/zerohop/bin/zerohop'), ...args];

describe('the image', () => {
  it('holds the program and its packages, and no tests, sources of packages or tools', () => {
    expect(readdirSync(join(image, 'opt/zerohop')).sort()).toEqual([
      'LICENSE',
      'bin',
      'node_modules',
      'package.json',
      'src',
    ]);
    const packages = readdirSync(join(image, 'opt/zerohop/node_modules'));
    expect(packages).toContain('koffi');
    for (const name of ['vitest', 'typescript', '@biomejs', 'kubernetes-models'])
      expect(packages).not.toContain(name);
  });

  it('has every source file stripped, so that nothing needs to be written at a start', () => {
    const cache = join(image, 'opt/zerohop/node_modules/.cache/zerohop', process.versions.node);
    const kept = readdirSync(cache).filter((name) => name.endsWith('.js')).length;
    const sources = readdirSync(join(image, 'opt/zerohop/src'), { recursive: true }).filter((name) =>
      String(name).endsWith('.ts'),
    );
    expect(kept).toBeGreaterThan(200);
    expect(kept).toBe(
      new Set(sources.map((name) => readFileSync(join(image, 'opt/zerohop/src', String(name)), 'utf8'))).size,
    );
  });

  it('tells its version as nobody without any right', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const told = execFileSync('unshare', confined(zerohop(['dns', '-version']), NOBODY), {
      encoding: 'utf8',
    });
    expect(told).toContain(version);
  });

  it('answers as the cache of the manifests, as nobody, on a file system that cannot be written', async () => {
    const [port = 0, metrics = 0] = await freePorts(2);
    const run = mkdtempSync(join(home, 'run-'));
    execFileSync('chown', [`${NOBODY}:${NOBODY}`, run]);
    writeFileSync(
      join(run, 'Corefile.base'),
      `.:${port} {\n    bind __PILLAR__LOCAL__DNS__\n    cache 30\n    hosts {\n        192.0.2.7 node.example\n    }\n}\n`,
    );
    const args = [
      'node-cache',
      '-localip',
      '127.0.0.1',
      '-conf',
      join(run, 'Corefile'),
      '-basecorefile',
      join(run, 'Corefile.base'),
    ];
    const off = [
      '-setupinterface=false',
      '-setupiptables=false',
      '-skipteardown=true',
      '-dns.port',
      String(port),
    ];
    const listen = ['-metrics-listen-address', `127.0.0.1:${metrics}`];
    const env = { PATH: process.env.PATH, ZEROHOP_RUN_DIR: run };
    const child = spawn('unshare', confined(zerohop([...args, ...off, ...listen]), NOBODY), {
      env,
      stdio: 'pipe',
    });
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    const ask = () =>
      execFileSync(
        'dig',
        ['+short', '+tries=1', '+time=1', '-p', String(port), '@127.0.0.1', 'node.example'],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      ).trim();
    await expect.poll(() => attempt(ask) ?? output, { timeout: 30_000, interval: 200 }).toBe('192.0.2.7');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended, output).toBe(0);
    expect(output).not.toMatch(/EROFS|EACCES|EPERM/);
  });

  it('serves Hubble as the relay of the manifests, as nobody, on a file system that cannot be written', async () => {
    const [port = 0, nobody = 0] = await freePorts(2);
    const listen = ['--listen-address', `127.0.0.1:${port}`, '--disable-server-tls'];
    const peers = ['--peer-service', `127.0.0.1:${nobody}`, '--disable-client-tls'];
    const child = spawn('unshare', confined(zerohop(['relay', ...listen, ...peers]), NOBODY), {
      env: { PATH: process.env.PATH },
      stdio: 'pipe',
    });
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    const hubble = openHubble(`127.0.0.1:${port}`);
    const health = () => hubble.health().catch(() => output);
    await expect.poll(health, { timeout: 30_000, interval: 200 }).toBe('SERVING');
    expect(await hubble.nodes()).toEqual([]);
    hubble.close();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    expect(await ended, output).toBe(0);
    expect(output).not.toMatch(/EROFS|EACCES|EPERM/);
  });
});

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    // Not there yet.
    return undefined;
  }
}
