/** A server process under test: started, waited for, loaded, read for its CPU time, ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { encodeMessage } from '../src/dns/encode-message.ts';
import { parseName } from '../src/dns/name.ts';
import { plainQuery } from '../src/dns/plain-query.ts';
import type { ContenderSpec } from './contenders.ts';
import { benchNames } from './names.ts';

const START_LIMIT_MS = 10_000;
const ASK_AGAIN_MS = 100;
/** What `/proc/PID/stat` counts in: USER_HZ, 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

export class Contender {
  readonly spec: ContenderSpec;
  readonly #child: ChildProcess;

  private constructor(spec: ContenderSpec, child: ChildProcess) {
    this.spec = spec;
    this.#child = child;
  }

  /** Resolves when the server has answered once. Rejects, with the process ended, when it does not. */
  static async start(spec: ContenderSpec): Promise<Contender> {
    const child = spawn(spec.command, [...spec.args], { stdio: ['ignore', 'ignore', 'inherit'] });
    const contender = new Contender(spec, child);
    try {
      await Promise.race([firstAnswer(spec), failure(spec, child)]);
    } catch (error) {
      await contender.close();
      throw error;
    }
    return contender;
  }

  /** User and system time of the process since its start, all threads, in microseconds; grows by 10 ms. */
  cpuMicros(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the state, field 3, stands behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    // Nothing these processes hold is worth an orderly end.
    this.#child.kill('SIGKILL');
    await gone;
  }
}

async function failure({ name, command }: ContenderSpec, child: ChildProcess): Promise<never> {
  const [reason] = await Promise.race([once(child, 'exit'), once(child, 'error')]);
  throw new Error(`Cannot start ${name}: ${command} ended: received ${reason}`);
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
    throw new Error(`Cannot start ${name}: no answer within ${START_LIMIT_MS / 1000} s`, { cause });
  } finally {
    clearInterval(timer);
    socket.close();
  }
}

function firstQuery(): Uint8Array {
  const name = parseName(benchNames()[0] ?? '');
  if (name === undefined) throw new Error('Cannot make the first query');
  return encodeMessage(plainQuery({ name, type: 1 }, { recursionDesired: true }));
}
