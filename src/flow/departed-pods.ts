/**
 * Which pod had an address before it went: a packet may be looked at after its pod is gone, or when another has its address.
 * Bounded: the log of packets is, too.
 */
import type { PodRow } from '../cluster/rows.ts';
import type { Ip } from '../net/ip.ts';
import { podAddresses } from './address-owners.ts';

/** A node with 250 pods that all go four times while its packets are kept. */
const MOST_REMEMBERED = 1024;

interface Departure {
  readonly pod: PodRow;
  /** CLOCK_MONOTONIC of the moment at which it was known to have gone. */
  readonly untilNs: bigint;
}

export class DepartedPods {
  /** By address, the latest last; in the order in which the addresses' latest departures came. */
  readonly #departures = new Map<Ip, readonly Departure[]>();
  readonly #nowNs: () => bigint;
  #count = 0;

  constructor(nowNs: () => bigint) {
    this.#nowNs = nowNs;
  }

  follow(before: PodRow | undefined, after: PodRow | undefined): void {
    const kept = new Set(podAddresses(after));
    for (const address of podAddresses(before)) {
      if (kept.has(address) || before === undefined) continue;
      const known = this.#departures.get(address) ?? [];
      this.#departures.delete(address);
      this.#departures.set(address, [...known, { pod: before, untilNs: this.#nowNs() }]);
      this.#count++;
    }
    for (const [address, departures] of this.#departures) {
      if (this.#count <= MOST_REMEMBERED) break;
      this.#departures.delete(address);
      this.#count -= departures.length;
    }
  }

  /** The pod that had it at that moment and has gone since; undefined for now. */
  ownerAt(address: Ip, atNs: bigint | undefined): PodRow | undefined {
    if (atNs === undefined) return undefined;
    return this.#departures.get(address)?.find(({ untilNs }) => atNs <= untilNs)?.pod;
  }
}
