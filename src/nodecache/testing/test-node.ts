/**
 * A node of its own for a kernel test: a network namespace with a pod behind a veth pair, in which the real program and
 * the real iptables run. Everything it makes carries a name of this process and goes with `close`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const IP = '/usr/sbin/ip';
const WAIT_MS = 30_000;

/** Program names that a node has; where they lead. */
export const NFT_FLAVOUR = flavour('/usr/sbin/xtables-nft-multi');
export const LEGACY_FLAVOUR = flavour('/usr/sbin/xtables-legacy-multi');
export const ONLY_NFT = { nft: '/usr/sbin/nft' };
/** As in images that have no more than they need. */
export const WITHOUT_RESTORE = { iptables: '/usr/sbin/xtables-nft-multi' };
export const NO_PROGRAMS = {};

export interface StartOptions {
  readonly args: readonly string[];
  readonly programs?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Plugins of the one block, a line each, besides `bind`. */
  readonly corefile?: readonly string[];
}

let made = 0;

export class TestNode {
  readonly namespace: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'zerohop-node-'));
  readonly #programs: RunningCache[] = [];
  readonly #held: ChildProcess[] = [];

  constructor() {
    this.namespace = `ztnc-${process.pid}-${++made}`;
    const pod = `${this.namespace}-pod`;
    for (const name of [this.namespace, pod]) run(IP, 'netns', 'add', name);
    run(
      IP,
      '-n',
      this.namespace,
      'link',
      'add',
      'veth0',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      pod,
    );
    // While the link's own address is searched for duplicates the node asks for no neighbour from it.
    this.run('sysctl', '-qw', 'net.ipv6.conf.veth0.accept_dad=0');
    run(IP, '-n', this.namespace, 'link', 'set', 'lo', 'up');
    run(IP, '-n', this.namespace, 'link', 'set', 'veth0', 'up');
    run(IP, '-n', this.namespace, 'addr', 'add', '172.20.0.1/24', 'dev', 'veth0');
    run(IP, '-n', this.namespace, 'addr', 'add', 'fd20::1/64', 'dev', 'veth0', 'nodad');
    run(IP, '-n', pod, 'link', 'set', 'eth0', 'up');
    run(IP, '-n', pod, 'addr', 'add', '172.20.0.5/24', 'dev', 'eth0');
    run(IP, '-n', pod, 'addr', 'add', 'fd20::5/64', 'dev', 'eth0', 'nodad');
    run(IP, '-n', pod, 'route', 'add', 'default', 'via', '172.20.0.1');
    run(IP, '-n', pod, 'route', 'add', 'default', 'via', 'fd20::1');
    // The kernel notices a while later that both ends are up, and drops packets until then.
    for (const [name, link] of [
      [this.namespace, 'veth0'],
      [pod, 'eth0'],
    ] as const) {
      const isUp = () => run(IP, '-n', name, '-o', 'link', 'show', link).includes(' state UP ');
      for (const end = performance.now() + WAIT_MS; !isUp(); ) {
        if (performance.now() > end) throw new Error(`${link} does not come up`);
      }
    }
  }

  /** Standard output of a command on the node; throws when it fails. */
  run(...command: readonly string[]): string {
    return run(IP, 'netns', 'exec', this.namespace, ...command);
  }

  /** A command on the node that goes on until it is killed. */
  hold(...command: readonly string[]): ChildProcess {
    const child = spawn(IP, ['netns', 'exec', this.namespace, ...command], { stdio: 'ignore' });
    this.#held.push(child);
    return child;
  }

  /** The pod's address as the server saw it, which is the answer of `whoami`; empty when nobody answered. */
  dig(server: string, ...words: readonly string[]): string {
    const pod = `${this.namespace}-pod`;
    const options = ['+time=10', '+tries=1', '+noall', '+additional', ...words];
    const command = ['netns', 'exec', pod, 'dig', ...options, `@${server}`, 'www.example.org'];
    const { stdout } = spawnSync(IP, command, { encoding: 'utf8' });
    return /IN\s+A{1,4}\s+(\S+)/.exec(stdout)?.[1] ?? '';
  }

  /** Lines of `iptables-save` and its kin that mention a node cache, of one table. */
  rules(table: 'raw' | 'filter', save = 'iptables-nft-save'): readonly string[] {
    return this.run(save, '-t', table)
      .split('\n')
      .filter((line) => line.includes('NodeLocal DNS Cache'));
  }

  addresses(interfaceName = 'nodelocaldns'): readonly string[] {
    const { stdout } = spawnSync(IP, ['-n', this.namespace, '-o', 'addr', 'show', 'dev', interfaceName], {
      encoding: 'utf8',
    });
    return [...stdout.matchAll(/ inet6? (\S+)/g)].map((match) => match[1] ?? '');
  }

  /** Everything a node cache may have left: rules of any flavour, our table, addresses, claims. */
  leftovers(): readonly string[] {
    const saves = [
      'iptables-nft-save',
      'ip6tables-nft-save',
      'iptables-legacy-save',
      'ip6tables-legacy-save',
    ];
    const rules = saves.flatMap((save) => [...this.rules('raw', save), ...this.rules('filter', save)]);
    const tables = this.run('nft', 'list', 'tables').split('\n');
    return [
      ...rules,
      ...tables.filter((line) => line.includes('zerohop')),
      ...this.addresses(),
      ...this.run('cat', '/proc/net/unix')
        .split('\n')
        .filter((line) => line.includes('@zerohop-node-cache')),
    ];
  }

  /** Starts the program; it need not come up. */
  start({ args, programs = NFT_FLAVOUR, env = {}, corefile = ANSWERS }: StartOptions): RunningCache {
    const home = join(this.directory, String(this.#programs.length));
    const path = join(home, 'bin');
    mkdirSync(path, { recursive: true });
    for (const [name, target] of Object.entries(programs)) symlinkSync(target, join(path, name));
    const base = join(home, 'Corefile.base');
    const lines = ['bind __PILLAR__LOCAL__DNS__', ...corefile].map((line) => `    ${line}\n`);
    writeFileSync(base, `.:53 {\n${lines.join('')}}\n`);
    const files = ['-conf', join(home, 'Corefile'), '-basecorefile', base];
    const command = [
      'netns',
      'exec',
      this.namespace,
      process.execPath,
      MAIN,
      'node-cache',
      ...files,
      ...args,
    ];
    const cache = new RunningCache(
      spawn(IP, command, { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: path, ...env } }),
    );
    this.#programs.push(cache);
    return cache;
  }

  async close(): Promise<void> {
    for (const child of this.#held) child.kill('SIGKILL');
    for (const cache of this.#programs) await cache.end('SIGKILL');
    for (const name of [`${this.namespace}-pod`, this.namespace]) run(IP, 'netns', 'del', name);
    rmSync(this.directory, { recursive: true });
  }
}

const ANSWERS: readonly string[] = ['errors', 'whoami'];

export class RunningCache {
  readonly #child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve) => child.once('close', (code) => resolve(code)));
  }

  /** Until the log has a text so many times. */
  async says(text: string, times = 1): Promise<void> {
    const log = () => this.stderr + this.stdout;
    await until(
      () => log().split(text).length > times,
      () => `${JSON.stringify(text)} in:\n${log()}`,
    );
  }

  /** Sends the signal and gives the exit code, null when the signal itself ended it. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal);
    return this.ended;
  }
}

/** Waits for the state of something outside of this process. */
export async function until(isSo: () => boolean, describe: () => string): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function run(file: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`Cannot run ${[file, ...args].join(' ')}: ${stderr}${stdout}`);
}

function flavour(program: string): Readonly<Record<string, string>> {
  const names = ['iptables', 'ip6tables', 'iptables-restore', 'ip6tables-restore'];
  return Object.fromEntries(names.map((name) => [name, program]));
}
