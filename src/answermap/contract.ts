/**
 * The answer map as the server that fills it has it: which answers of its cache the kernel's programs may give, and what
 * they gave. What lies where is in bpf/answer-abi.h.
 */
import type { Name } from '../dns/name.ts';
import type { RouteTotals } from '../wirecache/contract.ts';

export interface CopiedRoute {
  /** A live partition's id. */
  readonly partition: number;
  /** Addresses come in random order: the programs begin a run of them anywhere. */
  readonly shuffle: boolean;
  /** Clients that advertise more than this many bytes are the server's. */
  readonly limitBytes: number | undefined;
  /** Every answer goes to the shelf's log. */
  readonly logged: boolean;
}

/** One zone of one listener. */
export interface MirroredRoute {
  /** Any case, fully qualified. */
  readonly zone: Name;
  /** Undefined: nothing of this zone is in the map. */
  readonly copied?: CopiedRoute;
}

export interface MirroredListener {
  /** 1 to 65535: what the agent was told of the listener. */
  readonly view: number;
  readonly routes: readonly MirroredRoute[];
}

export interface ViewTotals {
  readonly view: number;
  readonly zone: Name;
  readonly totals: RouteTotals;
}

export interface MirrorStats {
  /** Answers that the programs find now. */
  readonly entries: number;
  /** Slots that are not free: with answers, or kept from use for a second after they had one. */
  readonly slotsInUse: number;
  readonly slots: number;
  readonly largeSlotsInUse: number;
  readonly largeSlots: number;
  /** So far: answers written, and answers that had to go for others. */
  readonly written: number;
  readonly evicted: number;
  /** So far: answers that found no free slot; they are tried again. */
  readonly turnedAway: number;
}
