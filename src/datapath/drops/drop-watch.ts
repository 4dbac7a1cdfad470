/**
 * Hears of the packets of this node's pods that the kernel throws away, from the moment somebody takes packets until it is
 * closed: a program at the tracepoint kfree_skb that writes into the ring of the others. It is not pinned, so without an agent
 * it costs nothing. A kernel that has no reasons for drops, no types of its own to read or no permission to give does without:
 * the status says which.
 */
import { statSync } from 'node:fs';
import { release } from 'node:os';
import { AppError, errorText } from '../../fault/app-error.ts';
import { BPF_COMMAND, callBpf, pathBytes } from '../../sys/bpf.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import type { Log } from '../../telemetry/log.ts';
import type { DropStatus } from '../datapath.ts';
import { loadPrograms } from '../kernel/load-program.ts';
import { encodeLayout } from './drop-layout.ts';
import { reasonWords, toldReasons } from './drop-reasons.ts';
import { type KernelTypes, readKernelTypes } from './kernel-types.ts';
import { DROP_OBJECT } from './programs.gen.ts';

/** enum bpf_prog_type */
const BPF_PROG_TYPE_RAW_TRACEPOINT = 17;
const TRACEPOINT = 'kfree_skb';
const PROGRAM = 'packet_dropped';
/** The packet, who dropped it, and why. */
const REASON_PARAMETERS = 3;
/** What kind of program it is, for the loader. */
export const DROP_KINDS = {
  [PROGRAM]: { programType: BPF_PROG_TYPE_RAW_TRACEPOINT, attachType: 0 },
} as const;
const OWN_NETWORK = '/proc/thread-self/ns/net';

export interface DropWatchOptions {
  /** Those of the packet programs; they stay the caller's. */
  readonly maps: ReadonlyMap<string, BpfMap>;
  /** As the packet programs have them. */
  readonly eventPorts: Uint8Array;
  readonly log: Pick<Log, 'warning'>;
  /** Default: what the running kernel says. */
  readonly readTypes?: () => KernelTypes | undefined;
}

export class DropWatch {
  readonly #options: DropWatchOptions;
  #status: DropStatus = { watched: false };
  #words: ReadonlyMap<number, string> = new Map();
  #descriptors: readonly number[] = [];

  constructor(options: DropWatchOptions) {
    this.#options = options;
  }

  status(): DropStatus {
    return this.#status;
  }

  /** The kernel's own, `NETFILTER_DROP`; those of a subsystem, which no enum of the kernel has, are `SUBSYSTEM_3_REASON_1`. */
  word(reason: number): string {
    const known = this.#words.get(reason);
    if (known !== undefined) return known;
    return reason > 0xffff ? `SUBSYSTEM_${reason >>> 16}_REASON_${reason & 0xffff}` : `REASON_${reason}`;
  }

  /** Never throws: without this packets are seen at the hooks alone. The thread is in the namespace of the hooks. */
  start(): void {
    if (this.#status.watched) return;
    try {
      this.#descriptors = this.#open();
      this.#status = { watched: true };
    } catch (error) {
      const problem = errorText(error);
      this.#status = { watched: false, problem };
      this.#options.log.warning(`drops are not seen: ${problem}`);
    }
  }

  /** Program and tracepoint go with their descriptors. */
  close(): void {
    for (const fd of this.#descriptors) openLibc().close(fd);
    this.#descriptors = [];
    this.#status = { watched: false };
  }

  #open(): readonly number[] {
    const { maps, eventPorts, readTypes = readKernelTypes } = this.#options;
    const types = readTypes();
    if (types === undefined) {
      throw missing('its types at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)');
    }
    const parameters = types.tracepointParameters(TRACEPOINT) ?? 0;
    this.#words = reasonWords(types.wordsOf('skb_drop_reason'));
    if (parameters < REASON_PARAMETERS || this.#words.size === 0) {
      throw missing('reasons for dropped packets (Linux 5.17)');
    }
    const programs = loadPrograms({
      object: DROP_OBJECT,
      maps,
      globals: {
        event_ports: eventPorts,
        told_reasons: toldReasons(this.#words),
        layout: encodeLayout(types, parameters, statSync(OWN_NETWORK).ino),
      },
      kinds: DROP_KINDS,
    });
    const fds = [...programs.values()];
    const link = attach(programs.get(PROGRAM) ?? -1);
    if (link >= 0) return [...fds, link];
    for (const fd of fds) openLibc().close(fd);
    throw new Error(`Cannot attach to the tracepoint ${TRACEPOINT}: ${errnoName(link)}`);
  }
}

/** A descriptor that holds the program there, or a negated errno. */
function attach(program: number): number {
  return callBpf(BPF_COMMAND.RAW_TRACEPOINT_OPEN, {
    'raw_tracepoint.name': pathBytes(TRACEPOINT),
    'raw_tracepoint.prog_fd': program,
  });
}

function missing(feature: string): AppError {
  const message = `Cannot watch dropped packets: the kernel does not tell ${feature}: received Linux ${release()}`;
  return new AppError('DATAPATH_KERNEL_TOO_OLD', message);
}
