/**
 * Everything the doctor can see of the node it runs on, each part for itself: one that cannot be read says why and keeps no
 * other from being read. Nothing is changed. In the namespaces of the calling process, which must be the host's.
 */
import { errorText } from '../../../fault/app-error.ts';
import type { Clock } from '../../../telemetry/clock.ts';
import { type Known, known, knownOr, unknown } from '../known.ts';
import type { NodeFacts } from '../node-facts.ts';
import { askProxyMode } from './ask-proxy.ts';
import { type ConntrackSample, readConntrack } from './conntrack.ts';
import { readFileLock } from './file-lock.ts';
import { readHooks } from './hooks.ts';
import { readInterfaces } from './interfaces.ts';
import { readKernel } from './kernel.ts';
import { livesHere } from './own-networks.ts';
import { readProcesses } from './processes.ts';
import { proxyMode } from './proxy-mode.ts';
import { type FilterReading, readRules } from './read-rules.ts';
import { readResolvConf } from './resolv-conf.ts';
import { readSockets } from './sockets.ts';

export interface GatherNodeOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Cluster IPs of DNS: rules that name them are told of. */
  readonly addresses: readonly string[];
  /** Where the agent of this node pins its links. */
  readonly hookDirectory: string;
  readonly cgroupRoot?: string;
  /** Taken when the doctor started, so that losses of now are told from those since boot. */
  readonly before?: ConntrackSample;
  /** Several nodes are on this machine, as in the lab: only processes that live in the networks of this one are told of. */
  readonly ownProcessesOnly?: boolean;
  /** For tools and for kube-proxy's answer; default 4,000 and 500. */
  readonly rulesTimeoutMs?: number;
  readonly proxyTimeoutMs?: number;
}

const XTABLES_LOCK = '/run/xtables.lock';

export async function gatherNode(options: GatherNodeOptions): Promise<NodeFacts> {
  const { clock, addresses, rulesTimeoutMs = 4000, proxyTimeoutMs = 500 } = options;
  const [told, filter] = await Promise.all([
    askProxyMode(proxyTimeoutMs),
    attempt(() => readRules({ addresses, timeoutMs: rulesTimeoutMs, monotonicMs: clock.monotonicMs })),
  ]);
  const interfaces = look(readInterfaces);
  return {
    interfaces,
    rules: 'value' in filter ? filter.value.rules : filter,
    proxy: look(() =>
      proxyMode({
        interfaces: knownOr(interfaces, []),
        chains: readingOf(filter).chains,
        ...(told === undefined ? {} : { told }),
      }),
    ),
    sockets: look(() => readSockets()),
    conntrack: readConntrack(clock.monotonicMs(), options.before),
    resolvConf: look(() => readResolvConf('self')),
    kernel: look(readKernel),
    hooks: look(() =>
      readHooks({
        directory: options.hookDirectory,
        ...(options.cgroupRoot === undefined ? {} : { cgroupRoot: options.cgroupRoot }),
      }),
    ),
    processes: look(() => readProcesses(options.ownProcessesOnly === true ? livesHere() : undefined)),
    xtablesLock: look(() => readFileLock(XTABLES_LOCK)),
  };
}

function readingOf(filter: Known<FilterReading>): FilterReading {
  if ('value' in filter) return filter.value;
  throw new Error(filter.unknown);
}

function look<T>(read: () => T): Known<T> {
  try {
    return known(read());
  } catch (error) {
    return unknown(errorText(error));
  }
}

async function attempt<T>(read: () => Promise<T>): Promise<Known<T>> {
  try {
    return known(await read());
  } catch (error) {
    return unknown(errorText(error));
  }
}
