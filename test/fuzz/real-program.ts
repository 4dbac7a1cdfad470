/** The real program in a process of its own, with a Corefile and what it needs; ended by who started it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { freePorts } from '../../src/net/testing/free-ports.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const START_MS = 45_000;
const STOP_MS = 8000;

export interface ProgramPorts {
  readonly dns: number;
  readonly dot: number;
  readonly metrics: number;
}

export interface ProgramSpec {
  /** `certificate` holds the two paths for the directive `tls`. */
  readonly corefile: (ports: ProgramPorts, certificate: { cert: string; key: string }) => string;
  readonly flags?: readonly string[];
}

export class RealProgram {
  readonly ports: ProgramPorts;
  /** Of both outputs, the last ones. */
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, ports: ProgramPorts, directory: string) {
    this.#child = child;
    process.once('exit', this.#kill);
    this.#directory = directory;
    this.ports = ports;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.lines.push(...text.split('\n'));
        this.lines.splice(0, this.lines.length - 200);
      });
    }
  }

  /** Resolves when it serves. */
  static async start({ corefile, flags = [] }: ProgramSpec): Promise<RealProgram> {
    const [dns = 0, dot = 0, metrics = 0] = await freePorts(3);
    const ports = { dns, dot, metrics };
    const directory = mkdtempSync(join(tmpdir(), 'zerohop-fuzz-'));
    const certificate = { cert: join(directory, 'crt.pem'), key: join(directory, 'key.pem') };
    makeCertificate(certificate);
    const conf = join(directory, 'Corefile');
    writeFileSync(conf, corefile(ports, certificate));
    const child = spawn(process.execPath, [MAIN, 'dns', '-conf', conf, ...flags]);
    const program = new RealProgram(child, ports, directory);
    for (
      const deadline = Date.now() + START_MS;
      !program.lines.some((line) => line.startsWith('CoreDNS-'));
    ) {
      if (!program.isAlive || Date.now() > deadline) {
        await program.close();
        throw new Error(`The program did not start:\n${program.lines.join('\n')}`);
      }
      await pause(20);
    }
    return program;
  }

  /** Should the one who started it end without another word. */
  readonly #kill = (): void => void this.#child.kill('SIGKILL');

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  }

  /** The sum of a metric over its labels; needs `prometheus 127.0.0.1:METRICS` in the Corefile. */
  async metric(name: string): Promise<number> {
    const page = await fetch(`http://127.0.0.1:${this.ports.metrics}/metrics`);
    const lines = (await page.text()).split('\n').filter((line) => /^\w+/.exec(line)?.[0] === name);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  async close(): Promise<void> {
    process.off('exit', this.#kill);
    if (this.isAlive) {
      const exited = once(this.#child, 'exit');
      const killer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
      this.#child.kill('SIGINT');
      await exited;
      clearTimeout(killer);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function makeCertificate({ cert, key }: { cert: string; key: string }): void {
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const named = ['-subj', '/CN=dns.test', '-addext', 'subjectAltName=DNS:dns.test'];
  execFileSync('openssl', [...made, ...named, '-keyout', key, '-out', cert], { stdio: 'pipe' });
}
