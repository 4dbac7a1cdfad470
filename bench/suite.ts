/** What a suite is given and what it gives back. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../src/net/testing/free-ports.ts';
import type { CProgram } from './c-programs.ts';
import { Contender, type ContenderSpec } from './contender.ts';
import type { Site } from './contenders.ts';
import type { Program } from './peers.ts';
import type { Place } from './processors.ts';
import type { Bar } from './verdict.ts';

export interface Suite {
  readonly name: string;
  readonly title: string;
  /** Without which it is left out. Peers that only add a row are not here. */
  readonly needs: readonly Program[];
  run(bench: Bench): Promise<SuiteReport>;
}

export interface SuiteReport {
  readonly table: string;
  readonly bars: readonly Bar[];
  /** Sentences to read the figures by. */
  readonly notes?: readonly string[];
}

export interface BenchSpec {
  readonly directory: string;
  readonly programs: Readonly<Record<CProgram, string>>;
  readonly installed: ReadonlySet<Program>;
  readonly signal: AbortSignal;
}

/** One suite's processes and files; `close` ends and removes what the suite has left. */
export class Bench {
  readonly programs: Readonly<Record<CProgram, string>>;
  readonly installed: ReadonlySet<Program>;
  readonly signal: AbortSignal;
  readonly directory: string;
  readonly #cleanups: (() => Promise<void> | void)[] = [];

  constructor({ directory, programs, installed, signal }: BenchSpec) {
    this.directory = directory;
    this.programs = programs;
    this.installed = installed;
    this.signal = signal;
  }

  /** The upstream of all caches, beside the load generator. */
  async site(): Promise<Site & { readonly authority: Contender }> {
    const authority = await this.start(await this.cServer('authority'), 'load');
    return { directory: this.directory, upstream: authority.spec.port, authority };
  }

  /** A C program that takes its port, and how many threads it is to have. */
  async cServer(name: 'echo' | 'authority', threads = 1): Promise<ContenderSpec> {
    const port = await freePort();
    return {
      name: name === 'echo' ? 'C echo' : name,
      command: this.programs[name],
      args: [String(port), String(threads)],
      port,
    };
  }

  async start(spec: ContenderSpec, place: Place): Promise<Contender> {
    this.signal.throwIfAborted();
    const contender = await Contender.start(spec, place);
    this.onClose(() => contender.close());
    return contender;
  }

  /** The path of a file with this text. */
  writeFile(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text);
    this.onClose(() => rmSync(path, { force: true }));
    return path;
  }

  /** Run in reverse order at the end, however the suite ends. */
  onClose(cleanup: () => Promise<void> | void): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }
}
