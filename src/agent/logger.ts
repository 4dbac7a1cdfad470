/**
 * The agent's log: JSON lines on standard output, in which what strangers wrote steers no terminal. The one user of pino; the
 * rest sees the plain `Log`.
 */
import { pino } from 'pino';
import { escapeSteering } from '../flow/print/escape.ts';
import type { Log } from '../telemetry/log.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Stands on every line. */
  readonly nodeName: string;
}

export function createLogger({ level, nodeName }: LoggerOptions): Log {
  const logger = pino({ level, base: { node: nodeName } }, pino.destination({ dest: 1, sync: true }));
  return {
    debug: (text) => logger.debug(escapeSteering(text)),
    info: (text) => logger.info(escapeSteering(text)),
    warning: (text) => logger.warn(escapeSteering(text)),
    error: (text) => logger.error(escapeSteering(text)),
    fatal(text) {
      logger.fatal(escapeSteering(text));
      process.exit(1);
    },
  };
}
