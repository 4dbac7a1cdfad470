/** Which host-side interface, and which network namespace, an address of this node has. */
import type { Ip } from '../../net/ip.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { locateAddress } from '../kernel/locate.ts';
import type { Location } from './location.ts';

export interface PodPlaces {
  /** Cheap: what is known already is looked up. Throws `DATAPATH_NO_INTERFACE` with what was found instead. */
  find(address: Ip): Location;
  /** Called, gathered over some milliseconds, when `find` may tell something else than before. */
  onChange(listener: () => void): void;
  close(): void;
}

export interface PodPlacesOptions {
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
}

/** Of the network namespace this thread is in, where it must stay. */
export function openPodPlaces(_options: PodPlacesOptions): PodPlaces {
  return { find: locateAddress, onChange: () => undefined, close: () => undefined };
}
