/**
 * Opens the eBPF datapath of the network namespace this thread is in: inherits what is pinned, swaps in our programs,
 * or makes it all anew. A restart does not disturb a packet: maps and links stay, only programs are replaced.
 */
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Datapath } from './datapath.ts';
import { EVENT_RING_BYTES, MAX_EVENT_PORTS } from './kernel/abi.gen.ts';
import { KernelDatapath } from './kernel/kernel-datapath.ts';
import { Links } from './kernel/links.ts';
import { loadPrograms } from './kernel/load-program.ts';
import { openMaps, openPins, removePins } from './kernel/pins.ts';
import { POD_OBJECT } from './kernel/programs.gen.ts';

export interface DatapathOptions {
  /** A directory on a bpffs, made (and the bpffs mounted) when missing; ours alone, one per node. */
  readonly pinDirectory: string;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly clock: Clock;
  /** Packets from or to these ports become events. Default: 53. At most 8. */
  readonly eventPorts?: readonly number[];
}

const DEFAULT_EVENT_PORTS = [53];

/** Opens what is pinned or makes it anew. Throws an `AppError` that names what the machine lacks. */
export function openDatapath(options: DatapathOptions): Datapath {
  const pins = openPins(options.pinDirectory);
  const maps = openMaps(POD_OBJECT, pins.maps);
  try {
    const globals = { event_ports: portList(options.eventPorts ?? DEFAULT_EVENT_PORTS) };
    const programs = loadPrograms({ object: POD_OBJECT, maps, globals });
    const links = new Links(pins.links, programs);
    links.inherit();
    const { log, clock } = options;
    return new KernelDatapath({
      maps,
      programs,
      links,
      log,
      clock,
      ringBytes: EVENT_RING_BYTES,
      unpin: () => removePins(options.pinDirectory),
    });
  } catch (error) {
    for (const map of maps.values()) map.close();
    throw error;
  }
}

/**
 * Unpins whatever was pinned there, by any version, without loading anything: links detach and packets go their
 * ordinary way. For cleaning up where no datapath is open, or can be; a directory that is not there is nothing.
 */
export function removeDatapath(pinDirectory: string): void {
  removePins(pinDirectory);
}

/** As in the programs: 16-bit numbers in host order, ended by 0. */
function portList(ports: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(2 * MAX_EVENT_PORTS);
  const view = new DataView(bytes.buffer);
  ports.slice(0, MAX_EVENT_PORTS).forEach((port, i) => {
    view.setUint16(2 * i, port, true);
  });
  return bytes;
}
