/**
 * The `Log` that a daemon writes to standard output. Lines are gathered and handed over in one write per turn of the
 * event loop, whole lines only: a query log at tens of thousands of lines a second costs a system call per batch.
 */
import type { Log } from './log.ts';

export interface LineSink {
  /** Queues `line`, which has no newline at its end. */
  write(line: string): void;
  /** Hands over everything queued, at once. */
  flush(): void;
}

/** From what tells most to what tells least; lines about the end of the process are always written. */
export const LOG_LEVELS = ['debug', 'info', 'warning', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LineLogOptions {
  readonly sink: LineSink;
  /** Ends the process; the line has been flushed. */
  readonly exit: (code: number) => never;
  /** Goes between the level and the text: `plugin/errors: `. */
  readonly prefix?: string;
  /** Debug lines are dropped unless this says yes (the `debug` plugin). */
  readonly debug?: () => boolean;
  /** The least that is written; goes before `debug` once it is not undefined any more. */
  readonly level?: () => LogLevel | undefined;
}

const FLUSH_AT_CHARACTERS = 1 << 16;

/** `output` gets whole lines, with their newline, and must not keep parts back. */
export function createLineSink(output: (text: string) => void): LineSink {
  let pending = '';
  let scheduled = false;
  const flush = () => {
    const text = pending;
    pending = '';
    scheduled = false;
    if (text !== '') output(text);
  };
  return {
    write(line) {
      pending += `${line}\n`;
      if (pending.length >= FLUSH_AT_CHARACTERS) flush();
      if (scheduled || pending === '') return;
      scheduled = true;
      setImmediate(flush);
    },
    flush,
  };
}

export function createLineLog({
  sink,
  exit,
  prefix = '',
  debug = () => false,
  level = () => undefined,
}: LineLogOptions): Log {
  const line = (word: string, text: string) => sink.write(`[${word}] ${prefix}${text}`);
  const at = (rank: LogLevel, word: string) => (text: string) => {
    const least = level() ?? (debug() ? 'debug' : 'info');
    if (LOG_LEVELS.indexOf(rank) >= LOG_LEVELS.indexOf(least)) line(word, text);
  };
  return {
    debug: at('debug', 'DEBUG'),
    info: at('info', 'INFO'),
    warning: at('warning', 'WARNING'),
    error: at('error', 'ERROR'),
    fatal(text) {
      line('FATAL', text);
      sink.flush();
      return exit(1);
    },
  };
}
