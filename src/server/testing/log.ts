/** For tests: a log that keeps its lines as the process would print them. */
import type { Log } from '../../telemetry/log.ts';

export interface MemoryLog extends Log {
  readonly lines: string[];
}

export function memoryLog(): MemoryLog {
  const lines: string[] = [];
  const keep = (level: string) => (text: string) => void lines.push(`[${level}] ${text}`);
  return {
    lines,
    debug: () => undefined,
    info: keep('INFO'),
    warning: keep('WARNING'),
    error: keep('ERROR'),
    fatal: (text) => {
      throw new Error(text);
    },
  };
}
