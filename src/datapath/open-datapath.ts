/**
 * The eBPF datapath of the network namespace this process is in.
 */
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Datapath } from './datapath.ts';

export interface DatapathOptions {
  /** A directory on a bpffs, made (and the bpffs mounted) when missing; ours alone, one per node. */
  readonly pinDirectory: string;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly clock: Clock;
  /** Packets from or to these ports become events. Default: 53. At most 8. */
  readonly eventPorts?: readonly number[];
}

/** Opens what is pinned or makes it anew. Throws an `AppError` that names what the machine lacks. */
export function openDatapath(_options: DatapathOptions): Datapath {
  throw new Error('The loader is not there yet');
}
