/**
 * Opens the eBPF datapath of the network namespace this thread is in: inherits what is pinned, swaps in our programs,
 * or makes it all anew. A restart does not disturb a packet: maps and links stay, only programs are replaced.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../fault/app-error.ts';
import { type BpfMap, u32Bytes } from '../sys/bpf-map.ts';
import { ensureBpffs, isBpffs } from '../sys/bpffs.ts';
import { openLibc } from '../sys/libc.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { AnswerShelves } from './answers/answer-shelves.ts';
import { KernelShelfStore } from './answers/kernel-shelf-store.ts';
import { openPinDirectory } from './answers/open-pin-directory.ts';
import { OUTER_MAPS, type ShelfPart } from './answers/shelf-layout.ts';
import type { Datapath, InterfaceRow } from './datapath.ts';
import { DropWatch } from './drops/drop-watch.ts';
import { DATAPATH_ERRORS } from './errors.ts';
import type { HookKind, HookOrder } from './hooks/hook-set.ts';
import { openHookSet } from './hooks/open-hook-set.ts';
import { ABI_VERSION, EVENT_RING_BYTES, MAX_EVENT_PORTS } from './kernel/abi.gen.ts';
import { KernelDatapath } from './kernel/kernel-datapath.ts';
import { loadPrograms } from './kernel/load-program.ts';
import { lockPins, openMaps, openPins, removePins } from './kernel/pins.ts';
import { POD_OBJECT } from './kernel/programs.gen.ts';
import { openPodPlaces, type PodPlaces } from './place/pod-places.ts';
import { openSocketPath, type SocketRedirect } from './socket/open-socket-path.ts';
import { retireSocketPath } from './socket/retire.ts';

/** How many ports `eventPorts` may name. */
export const MOST_EVENT_PORTS = MAX_EVENT_PORTS;

export interface DatapathOptions {
  /** A directory on a bpffs, made (and the bpffs mounted) when missing; ours alone, one per node. */
  readonly pinDirectory: string;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly clock: Clock;
  /** Packets from or to these ports become events. Default: 53. At most 8. */
  readonly eventPorts?: readonly number[];
  /** Where our programs hang among others on a pod's interface. Default: `last`. */
  readonly hookOrder?: HookOrder;
  /** For tests: by this way alone. Default: what the kernel has and suits the others there. */
  readonly hookKind?: HookKind;
  /**
   * `direct`: past the stack, no conntrack entry. `stack`: translated and then left to the stack, so that an egress
   * policy in netfilter sees client and backend. Default: `direct`.
   */
  readonly delivery?: 'direct' | 'stack';
  /** How old a heartbeat may be. Default: 400. */
  readonly beatDeadlineMs?: number;
  /** Whose sockets are redirected beside the packets of pods. Default: nobody's; what an earlier agent attached goes. */
  readonly socketRedirect?: SocketRedirect;
  /** How many answers a process may keep in its shelf, 1000 to 1000000. Default: there is no answer map. */
  readonly answerEntries?: number;
}

const DEFAULT_EVENT_PORTS = [53];

/** Opens what is pinned or makes it anew. Throws an `AppError` that names what the machine lacks, or `DATAPATH_IN_USE`. */
export function openDatapath(options: DatapathOptions): Datapath {
  ensureBpffs(options.pinDirectory);
  const unlock = lockPins(options.pinDirectory);
  try {
    return openLocked(options, unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

function openLocked(options: DatapathOptions, unlock: () => void): Datapath {
  const { pinDirectory, log, clock, hookOrder, hookKind } = options;
  const pins = openPins(pinDirectory);
  const opened: { close(): void }[] = [];
  const keep = <T extends { close(): void }>(resource: T): T => {
    opened.push(resource);
    return resource;
  };
  try {
    const maps = openMaps(POD_OBJECT, pins.maps);
    for (const map of maps.values()) keep(map);
    const shelves = keep(openShelves(options, maps, pins.answers));
    const programs = loadPrograms({ object: POD_OBJECT, maps, globals: globalsOf(options) });
    for (const fd of programs.values()) keep({ close: () => void openLibc().close(fd) });
    const places = keep(openPodPlaces({ clock, log }));
    const hookRules = {
      ...(hookOrder === undefined ? {} : { order: hookOrder }),
      ...(hookKind === undefined ? {} : { only: hookKind }),
    };
    const hooks = keep(openHookSet({ directory: pins.links, programs, clock, log, ...hookRules }));
    hooks.inherit();
    const unpin = () => removePins(pinDirectory);
    const ringBytes = EVENT_RING_BYTES;
    const known: { datapath?: KernelDatapath } = {};
    const socketPath = keep(
      openSocketPath({
        redirect: options.socketRedirect ?? { scope: 'off' },
        ...{ pins, maps, log, clock, random: Math.random },
        ...(options.beatDeadlineMs === undefined ? {} : { beatDeadlineMs: options.beatDeadlineMs }),
        podNetnsIds: () => podNetnsIds(places, known.datapath?.interfaces() ?? []),
      }),
    );
    const drops = keep(
      new DropWatch({ maps, eventPorts: portList(options.eventPorts ?? DEFAULT_EVENT_PORTS), log }),
    );
    const parts = {
      ...{ maps, programs, places, hooks, socketPath, drops, shelves },
      ...{ log, clock, unlock, unpin, ringBytes },
    };
    known.datapath = new KernelDatapath(parts);
    return known.datapath;
  } catch (error) {
    for (const resource of opened.toReversed()) resource.close();
    throw error;
  }
}

function openShelves(
  { answerEntries, log }: DatapathOptions,
  maps: ReadonlyMap<string, BpfMap>,
  directory: string,
): AnswerShelves {
  const outerMap = (part: ShelfPart): BpfMap => {
    const map = maps.get(OUTER_MAPS[part]);
    if (map === undefined) throw new Error(`No map ${OUTER_MAPS[part]}`);
    return map;
  };
  const outer = {
    index: outerMap('index'),
    small: outerMap('small'),
    large: outerMap('large'),
    log: outerMap('log'),
  };
  const store = new KernelShelfStore({ outer, pins: openPinDirectory(directory) });
  return new AnswerShelves({ store, entries: answerEntries, log, randomBytes });
}

/** The programs' constants that are not as they were compiled. */
function globalsOf({ eventPorts, delivery, beatDeadlineMs }: DatapathOptions): Record<string, Uint8Array> {
  const ports = portList(eventPorts ?? DEFAULT_EVENT_PORTS);
  const direct = u32Bytes(delivery === 'stack' ? 0 : 1);
  const constants = { event_ports: ports, deliver_direct: direct };
  if (beatDeadlineMs === undefined) return constants;
  const deadline = new Uint8Array(8);
  new DataView(deadline.buffer).setBigUint64(0, BigInt(Math.round(beatDeadlineMs * 1e6)), true);
  return { ...constants, beat_deadline_ns: deadline };
}

/** Of pods with an interface, whether they are redirected; one that has just gone is told of again by the next change. */
function podNetnsIds(places: PodPlaces, rows: readonly InterfaceRow[]): ReadonlyMap<number, boolean> {
  const ids = new Map<number, boolean>();
  for (const { address, redirects } of rows) {
    try {
      const { netnsId } = places.find(address);
      if (netnsId >= 0) ids.set(netnsId, redirects && ids.get(netnsId) !== false);
    } catch {
      // Its row says what is the matter.
    }
  }
  return ids;
}

/**
 * Unpins whatever was pinned there, by any version, without loading anything: links detach and packets go their
 * ordinary way. For cleaning up where no datapath is open, or can be; false when the directory is not there. Throws
 * `DATAPATH_IN_USE` while an agent works there, which would put back half of it, and `DATAPATH_NOT_PINS` for a directory
 * that is on no bpffs: whatever is in it, it is not ours.
 */
export function removeDatapath(pinDirectory: string): boolean {
  if (!existsSync(pinDirectory)) return false;
  if (!isBpffs(pinDirectory)) {
    const message = `Cannot take pinned maps away: it is not on a bpffs: received ${pinDirectory}`;
    throw new AppError('DATAPATH_NOT_PINS', message, { hint: DATAPATH_ERRORS.DATAPATH_NOT_PINS.cure });
  }
  const unlock = lockPins(pinDirectory);
  // Now we know that nobody works there; held any longer, the lock would keep the file system from being unmounted.
  unlock();
  const pins = join(pinDirectory, `abi-${ABI_VERSION}`);
  retireSocketPath({ maps: join(pins, 'maps'), links: join(pins, 'sockets') });
  removePins(pinDirectory);
  return true;
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
