/**
 * Work with programs as a generator: it yields the command to run and is handed what came of it. Whoever drives it says
 * how: beside other work, or at once while the process ends, when nothing asynchronous comes back any more.
 */
import { spawn, spawnSync } from 'node:child_process';

export interface Command {
  /** Looked up in PATH. */
  readonly file: string;
  readonly args: readonly string[];
  readonly stdin?: string;
}

export interface CommandResult {
  /** As the program ended; `NOT_RUN` when it was not started, or had to be killed. */
  readonly code: number;
  readonly stdout: string;
  /** Of a command that was not run: why. */
  readonly stderr: string;
}

export type Steps<T> = Generator<Command, T, CommandResult>;

export const NOT_RUN = -1;
/** More than the five seconds that a command waits for the xtables lock by itself. */
const COMMAND_TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 16 << 20;

export interface StepsLimits {
  /** Asked before each command: how many milliseconds are left, fractions too. At zero nothing more is started. */
  readonly leftMs: () => number;
}

export const UNLIMITED: StepsLimits = { leftMs: () => Number.POSITIVE_INFINITY };

/** Undefined when the time was over before the work was. */
export async function runSteps<T>(steps: Steps<T>, limits: StepsLimits = UNLIMITED): Promise<T | undefined> {
  let next = steps.next();
  while (next.done !== true) {
    const leftMs = limits.leftMs();
    if (leftMs <= 0) return abandoned(steps);
    next = steps.next(await runCommand(next.value, Math.min(leftMs, COMMAND_TIMEOUT_MS)));
  }
  return next.value;
}

/** The same, blocking the thread. */
export function runStepsNow<T>(steps: Steps<T>, limits: StepsLimits = UNLIMITED): T | undefined {
  let next = steps.next();
  while (next.done !== true) {
    const leftMs = limits.leftMs();
    if (leftMs <= 0) return abandoned(steps);
    next = steps.next(runCommandNow(next.value, Math.min(leftMs, COMMAND_TIMEOUT_MS)));
  }
  return next.value;
}

function abandoned<T>(steps: Steps<T>): undefined {
  steps.return(undefined as T);
  return undefined;
}

function runCommand({ file, args, stdin }: Command, timeoutMs: number): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const child = spawn(file, args, {
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    timeout: Math.ceil(timeoutMs),
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  const gather = (stream: 'stdout' | 'stderr') => (chunk: Buffer) => {
    if (output[stream].length < MAX_OUTPUT_BYTES) output[stream] += chunk.toString();
  };
  child.stdout?.on('data', gather('stdout'));
  child.stderr?.on('data', gather('stderr'));
  // A program that ends without reading its input is told of by its exit code.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(stdin);
  child.once('error', (error) => resolve({ ...output, code: NOT_RUN, stderr: error.message }));
  child.once('close', (code) => resolve(code === null ? killed(output.stdout) : { ...output, code }));
  return promise;
}

function runCommandNow({ file, args, stdin }: Command, timeoutMs: number): CommandResult {
  const { status, error, stdout, stderr } = spawnSync(file, args, {
    input: stdin ?? '',
    encoding: 'utf8',
    timeout: Math.ceil(timeoutMs),
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  if (status !== null) return { code: status, stdout, stderr };
  return error === undefined ? killed('') : { code: NOT_RUN, stdout: '', stderr: error.message };
}

function killed(stdout: string): CommandResult {
  return { code: NOT_RUN, stdout, stderr: 'killed, because it did not end' };
}
