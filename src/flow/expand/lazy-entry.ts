/**
 * Ring entries whose flow is put together when it is first read, and then kept: a flow has one uuid, whoever reads it.
 * Until then an entry is some numbers and references; the packet's bytes are not among them.
 */
import type { GetFlowsResponse } from '../api.ts';
import type { RingEntry } from '../ring.ts';
import { formatTime } from '../time.ts';
import { buildFlow, type FlowBuilderOptions, type FlowPart, type FlowSubject } from './flow-builder.ts';

/** What all flows of one packet have in common, and what each of them says. */
export interface SeenPacket extends Omit<FlowSubject, 'time'> {
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  readonly parts: readonly FlowPart[];
}

export function createLazyEntries(packet: SeenPacket, options: FlowBuilderOptions): readonly RingEntry[] {
  const { parts, ...rest } = packet;
  const subject = new LazySubject(rest);
  return parts.map((part) => new LazyEntry(part, subject, options));
}

/** The text of the time costs as much as the rest of a flow, so one packet's flows share it. */
class LazySubject implements FlowSubject {
  readonly timeNs: bigint;
  readonly protocol: FlowSubject['protocol'];
  readonly tcpFlags: number;
  readonly traceId: string | undefined;
  readonly owners: FlowSubject['owners'];
  #time: string | undefined;

  constructor({ timeNs, protocol, tcpFlags, traceId, owners }: Omit<SeenPacket, 'parts'>) {
    this.timeNs = timeNs;
    this.protocol = protocol;
    this.tcpFlags = tcpFlags;
    this.traceId = traceId;
    this.owners = owners;
  }

  get time(): string {
    this.#time ??= formatTime(this.timeNs);
    return this.#time;
  }
}

class LazyEntry implements RingEntry {
  readonly #part: FlowPart;
  readonly #subject: LazySubject;
  readonly #options: FlowBuilderOptions;
  #response: GetFlowsResponse | undefined;

  constructor(part: FlowPart, subject: LazySubject, options: FlowBuilderOptions) {
    this.#part = part;
    this.#subject = subject;
    this.#options = options;
  }

  get timeNs(): bigint {
    return this.#subject.timeNs;
  }

  get response(): GetFlowsResponse {
    this.#response ??= {
      flow: buildFlow(this.#part, this.#subject, this.#options),
      node_name: this.#options.nodeName,
      time: this.#subject.time,
    };
    return this.#response;
  }
}
