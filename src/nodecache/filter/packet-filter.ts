/** What a packet filter can do for a node cache: iptables is one, nftables the other. */
import type { Log } from '../../telemetry/log.ts';
import type { NodeRule } from './rules.ts';
import type { Steps } from './steps.ts';

/** Every operation may be repeated. What fails is logged and counted, and the rest goes on. */
export interface PacketFilter {
  /** As a log line names it: `iptables-nft v1.8.9 (nf_tables)`. */
  readonly name: string;
  /** Adds those that are missing. */
  ensure(rules: readonly NodeRule[]): Steps<void>;
  /** Adds rules that are known to be missing, fast; what it cannot add is left to `ensure` without a word. */
  insert(rules: readonly NodeRule[]): Steps<void>;
  /** Removes them, and duplicates of them. Gives those that are still there, as far as one can know. */
  remove(rules: readonly NodeRule[]): Steps<readonly NodeRule[]>;
  /** All rules in force that a node cache has made, this one or another; undefined while somebody holds the lock. */
  list(): Steps<readonly NodeRule[] | undefined>;
}

export type FilterErrorType = 'iptables' | 'iptables_lock';

/** Where a packet filter tells what happened. */
export interface FilterReport {
  readonly log: () => Log;
  readonly failed: (type: FilterErrorType) => void;
  /** For log lines. */
  readonly interfaceName: string;
}

/** By what the program printed. */
export function filterErrorType(stderr: string): FilterErrorType {
  return stderr.includes('holding the xtables lock') ? 'iptables_lock' : 'iptables';
}
