/**
 * The doctor as a command beside the page's server: what it looks at and how long it takes is none of the server's business,
 * and its end is the end of all it holds. Its report is read as it prints it with `-o json`.
 */
import { spawn } from 'node:child_process';
import { AppError, errorText } from '../fault/app-error.ts';
import type { UiReport } from './ui-source.ts';

/** The doctor gives up by itself after ten seconds; a busy machine takes longer to start it. */
const TIMEOUT_MS = 30_000;
const MOST_BYTES = 8 * 1024 * 1024;

/** `command` and its arguments; it prints a report and ends with 0, 1 or 2. Rejects with UI_DOCTOR. */
export async function askDoctorCommand(
  command: readonly string[],
  timeoutMs = TIMEOUT_MS,
): Promise<UiReport> {
  const { code, stdout, stderr } = await run(command, timeoutMs);
  const words = stderr.trim().split('\n').at(0) ?? '';
  try {
    return readReport(JSON.parse(stdout));
  } catch (error) {
    const reason = stdout.trim() === '' ? words || `it ended with ${code}` : errorText(error);
    throw new AppError('UI_DOCTOR', `Cannot ask the doctor: ${reason}`, { cause: error });
  }
}

interface Ended {
  readonly code: string;
  readonly stdout: string;
  readonly stderr: string;
}

function run([file = '', ...args]: readonly string[], timeoutMs: number): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      detached: true,
    });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
        if (texts[name].length > MOST_BYTES) child.kill('SIGKILL');
      });
    }
    child.on('error', (error) =>
      reject(new AppError('UI_DOCTOR', `Cannot start the doctor: ${error.message}`)),
    );
    child.on('close', (code, signal) => resolve({ code: signal ?? `exit code ${code}`, ...texts }));
  });
}

/** What we print ourselves, of the version that is known here. */
function readReport(report: Partial<UiReport> & { readonly version?: number }): UiReport {
  const { version, exitCode, findings, pods, blind = [], notLookedAt = [], notProbed = [] } = report;
  if (version !== 1 || exitCode === undefined || findings === undefined || pods === undefined)
    throw new Error('its report is not known here');
  return { exitCode, findings, pods, blind, notLookedAt, notProbed };
}
