/** Test support: `zerohop` commands as programs, and what they said. */
import { spawn } from 'node:child_process';

const BATCH = new URL('./command-batch.ts', import.meta.url).pathname;

export interface BatchedCommand {
  readonly command: 'observe' | 'relay';
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  /** Lines of standard output. */
  readonly out: readonly string[];
  readonly err: string;
}

export interface ProgramInput {
  /** All of its environment, beside the path. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

interface Raw {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Not spawnSync: the server that answers may live in this process. */
async function run(args: readonly string[], { env = {}, input = '' }: ProgramInput): Promise<Raw> {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, args, { env: { PATH, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

const linesOf = (text: string) => text.split('\n').slice(0, -1);

/** `args` begin with the program's file. */
export async function runProgram(args: readonly string[], input: ProgramInput): Promise<Ended> {
  const { code, out, err } = await run(args, input);
  return { code, out: linesOf(out), err };
}

/** One after the other, in one process. */
export async function runBatch(commands: readonly BatchedCommand[]): Promise<readonly Ended[]> {
  const { out, err } = await run([BATCH, JSON.stringify(commands)], {});
  const [outs, errs] = [out.split('\x1e').slice(1), err.split('\x1e').slice(1)];
  return commands.map((_, n) => ({
    code: Number(errs[2 * n + 1] ?? Number.NaN),
    out: linesOf(outs[n] ?? ''),
    err: errs[2 * n] ?? '',
  }));
}
