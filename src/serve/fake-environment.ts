/** An environment for tests: real metrics, lines in a list, a cluster that a test fills, ports on the loopback. */
import { tmpdir } from 'node:os';
import { type ClusterSnapshot, EMPTY_SNAPSHOT } from '../cluster/snapshot.ts';
import type { Corefile } from '../corefile/ast.ts';
import { parseCorefile } from '../corefile/parser.ts';
import { KNOWN_WORDS } from '../plugins/order.ts';
import { createStore, type Store } from '../store/store.ts';
import { type Clock, systemClock } from '../telemetry/clock.ts';
import { formatExposition } from '../telemetry/exposition.ts';
import type { Log } from '../telemetry/log.ts';
import { createRegistry } from '../telemetry/registry.ts';
import { createAnswerCache } from '../wirecache/answer-cache.ts';
import type { ServeEnvironment } from './environment.ts';

const ANSWER_BYTES = 16 * 1024 * 1024;

export interface FakeEnvironment extends ServeEnvironment {
  /** `[LEVEL] prefix text`, in order. */
  readonly lines: string[];
  readonly cluster: Store<ClusterSnapshot>;
  readonly isDebug: () => boolean;
  /** Watches that are open. */
  readonly openWatches: () => number;
}

export function fakeEnvironment({ clock = systemClock }: { clock?: Clock } = {}): FakeEnvironment {
  const lines: string[] = [];
  const cluster = createStore(EMPTY_SNAPSHOT);
  let open = 0;
  let debug = false;
  return {
    lines,
    cluster,
    openWatches: () => open,
    isDebug: () => debug,
    setDebug(enabled) {
      debug = enabled;
    },
    log: (prefix) => listLog(lines, prefix),
    metrics: createRegistry(formatExposition),
    clock,
    random: Math.random,
    directory: tmpdir(),
    answers: createAnswerCache({ budgetBytes: ANSWER_BYTES, random: Math.random }),
    defaultPort: 0,
    async loadCluster() {
      return {
        open() {
          open++;
          return { snapshot: cluster, close: () => void open-- };
        },
      };
    },
  };
}

function listLog(lines: string[], prefix: string): Log {
  const at = (level: string) => (text: string) => void lines.push(`[${level}] ${prefix}${text}`);
  return {
    debug: at('DEBUG'),
    info: at('INFO'),
    warning: at('WARNING'),
    error: at('ERROR'),
    fatal(text): never {
      lines.push(`[FATAL] ${prefix}${text}`);
      throw new Error(`the process would have ended: ${text}`);
    },
  };
}

/** Without imports. */
export function corefile(text: string, file = 'Corefile'): Corefile {
  return parseCorefile(text, {
    file,
    env: {},
    knownPlugins: KNOWN_WORDS,
    sources: { readFile: () => '', glob: () => [] },
  });
}
