/** A server process under test: started, waited for, read for its processor time and memory, ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { encodeMessage } from '../src/dns/encode-message.ts';
import { parseName } from '../src/dns/name.ts';
import { plainQuery } from '../src/dns/plain-query.ts';
import { cpuNanos } from './cpu-time.ts';
import { existingNames } from './names.ts';
import { type Command, type Place, placed } from './processors.ts';

const START_LIMIT_MS = 10_000;
const ASK_AGAIN_MS = 1;
/** Of what it wrote to stderr, shown when it does not start. */
const LAST_WORDS = 2_000;

export interface ContenderSpec extends Command {
  readonly name: string;
  readonly port: number;
  /** Of its metrics page, if it has one. */
  readonly metrics?: number;
}

export interface Memory {
  readonly residentMb: number;
  /** Shared pages divided by those who share them. */
  readonly proportionalMb: number;
  readonly anonymousMb: number;
}

export class Contender {
  readonly spec: ContenderSpec;
  /** From the start of the process to its first answer. */
  readonly startMs: number;
  readonly #child: ChildProcess;

  private constructor(spec: ContenderSpec, child: ChildProcess, startMs: number) {
    this.spec = spec;
    this.#child = child;
    this.startMs = startMs;
  }

  /** Resolves when the server has answered once. Rejects, with the process ended, when it does not. */
  static async start(spec: ContenderSpec, place: Place): Promise<Contender> {
    const { command, args } = placed(spec, place);
    const began = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-LAST_WORDS);
    });
    try {
      await Promise.race([firstAnswer(spec), failure(spec, child)]);
      return new Contender(spec, child, performance.now() - began);
    } catch (cause) {
      await end(child);
      throw new Error(`Cannot start ${spec.name}: ${words}`, { cause });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Since its start, all threads. */
  cpuNanos(): number {
    return cpuNanos(this.pid);
  }

  memory(): Memory {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8');
    const mb = (label: string) =>
      (Number(new RegExp(`^${label}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024) / 1e6;
    return { residentMb: mb('Rss'), proportionalMb: mb('Pss'), anonymousMb: mb('Anonymous') };
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  // Nothing these processes hold is worth an orderly end.
  child.kill('SIGKILL');
  await gone;
}

async function failure({ name, command }: ContenderSpec, child: ChildProcess): Promise<never> {
  const [reason] = await Promise.race([once(child, 'exit'), once(child, 'error')]);
  throw new Error(`${name}: ${command} ended: received ${reason}`);
}

async function firstAnswer({ name, port }: ContenderSpec): Promise<void> {
  const socket = createSocket('udp4');
  // While nobody listens yet, the kernel says so: that is what is waited for.
  socket.on('error', () => undefined);
  const query = firstQuery();
  const timer = setInterval(() => socket.send(query, port, '127.0.0.1'), ASK_AGAIN_MS);
  try {
    await once(socket, 'message', { signal: AbortSignal.timeout(START_LIMIT_MS) });
  } catch (cause) {
    throw new Error(`${name} gave no answer within ${START_LIMIT_MS / 1000} s`, { cause });
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

function firstQuery(): Uint8Array {
  const name = parseName(existingNames()[0] ?? '');
  if (name === undefined) throw new Error('Cannot make the first query');
  return encodeMessage(plainQuery({ name, type: 1 }, { recursionDesired: true }));
}
