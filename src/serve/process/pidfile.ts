/** The file that names this process. A successor may write its own number there while this one still runs. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { AppError, errorText } from '../../fault/app-error.ts';

/** Throws SERVE_PIDFILE. */
export function writePidfile(path: string): void {
  try {
    writeFileSync(path, ownLine(), { mode: 0o644 });
  } catch (error) {
    throw new AppError('SERVE_PIDFILE', `Cannot write the pidfile: ${errorText(error)}: received ${path}`);
  }
}

/** Only when it still names this process. */
export function removePidfile(path: string): void {
  try {
    if (readFileSync(path, 'utf8') === ownLine()) rmSync(path, { force: true });
  } catch {
    // It is gone already.
  }
}

function ownLine(): string {
  return `${process.pid}\n`;
}
