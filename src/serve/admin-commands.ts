/** What an administrator may ask of a running server: its caches, and how much it tells. */
import type { AdminCommand } from '../admin/admin-server.ts';
import { type Name, parseName } from '../dns/name.ts';
import { AppError } from '../fault/app-error.ts';
import type { CacheControl } from '../plugins/contract.ts';
import { LOG_LEVELS, type LogLevel } from '../telemetry/line-log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AnswerCache } from '../wirecache/contract.ts';
import { cacheStats } from './cache-stats.ts';
import type { Generation } from './generation.ts';
import { cachesOf } from './takeover/cache-transfer.ts';

export interface AdminSubject {
  /** The configuration in force. */
  readonly current: () => Generation;
  readonly metrics: Metrics;
  readonly answers: AnswerCache;
  readonly logLevel: { get(): LogLevel; set(level: LogLevel): void };
}

export function adminCommands(server: AdminSubject): Readonly<Record<string, AdminCommand>> {
  const caches = () => cachesOf(server.current());
  return {
    'cache dump': () => dumpAll(caches()),
    'cache lookup': ({ name }) => {
      const wanted = nameOf(name);
      const lines = caches().flatMap((cache) => cache.lookup(wanted));
      return lines.length > 0 ? lines : [`; ${wanted} is not in the cache`];
    },
    'cache flush': ({ name, below }) => {
      const wanted = nameOf(name);
      const gone = caches().reduce((sum, cache) => sum + cache.flush(wanted, { below: below === true }), 0);
      return [`flushed ${gone} ${gone === 1 ? 'entry' : 'entries'}`];
    },
    'cache stats': async () => cacheStats(server.answers, await server.metrics.text()),
    'log level': ({ level }) => {
      if (level !== undefined) server.logLevel.set(levelOf(level));
      return [server.logLevel.get()];
    },
  };
}

/** Entries are read as they are sent. */
function* dumpAll(caches: readonly CacheControl[]): Generator<string, void, void> {
  for (const cache of caches) {
    yield `; cache of ${cache.zones.join(' ')}`;
    yield* cache.dump();
  }
}

function nameOf(text: string | boolean | undefined): Name {
  const name = typeof text === 'string' ? parseName(text.endsWith('.') ? text : `${text}.`) : undefined;
  if (name !== undefined) return name;
  throw new AppError(
    'ADMIN_REQUEST',
    `Cannot look in the cache: no domain name: received ${JSON.stringify(text)}`,
  );
}

function levelOf(text: string | boolean): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  throw new AppError('ADMIN_REQUEST', `Cannot set the log level: there is no such level: received ${text}`, {
    hint: `The levels are: ${LOG_LEVELS.join(', ')}`,
  });
}
