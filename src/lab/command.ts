/** Runs the machine's own tools (`ip`, `nft`, `mount`, `openssl`). Nothing goes through a shell. */
import { spawn } from 'node:child_process';
import { AppError } from '../fault/app-error.ts';
import { toolPath } from './preflight.ts';

/** Long enough for a loaded machine, short enough that a hung tool does not hang the lab. */
const COMMAND_TIMEOUT_MS = 20_000;

/** Resolves with what the command wrote to stdout. Rejects with LAB_COMMAND, naming the command and its complaint. */
export function runCommand(file: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, PATH: toolPath() },
      timeout: COMMAND_TIMEOUT_MS,
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    const refuse = (reason: string, cause?: unknown) =>
      reject(new AppError('LAB_COMMAND', `Cannot run ${[file, ...args].join(' ')}: ${reason}`, { cause }));
    child.on('error', (error) => refuse(error.message, error));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else refuse(stderr.trim() || `it ended with ${signal ?? `exit code ${code}`}`);
    });
    // A tool that fails at once closes its end first; its exit code is what counts.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** As `runCommand`, but a failure is an answer: undefined. For taking down what may be gone already. */
export async function tryCommand(file: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return await runCommand(file, args);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
