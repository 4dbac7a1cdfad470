/**
 * The reports of nodes whose agent lives, judged by our own clock: a lease counts for as long after its last renewal was
 * seen as it says. Only a lease that is first seen long past its time by anybody's clock does not count at all.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { NodeVoice } from './fold-reports.ts';
import type { NodeLease } from './policy-object.ts';

/** Clocks of nodes may differ by this much. */
const SKEW_MS = 5 * 60_000;

interface Entry {
  readonly lease: NodeLease;
  /** Monotonic. */
  readonly renewedAtMs: number;
}

export class LiveNodes {
  readonly #clock: Clock;
  readonly #entries = new Map<ObjectKey, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True when what `voices` gives may differ. Undefined removes. */
  set(key: ObjectKey, lease: NodeLease | undefined): boolean {
    const before = this.#entries.get(key);
    if (lease === undefined) return this.#entries.delete(key);
    const renewed = before?.lease.renewTime !== lease.renewTime;
    this.#entries.set(key, {
      lease,
      renewedAtMs: renewed || before === undefined ? this.#firstSeen(lease, before) : before.renewedAtMs,
    });
    return before?.lease.digest !== lease.digest || !this.#alive(before);
  }

  replace(leases: ReadonlyMap<ObjectKey, NodeLease>): void {
    for (const key of [...this.#entries.keys()]) if (!leases.has(key)) this.#entries.delete(key);
    for (const [key, lease] of leases) this.set(key, lease);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** One per node, in no order. */
  voices(): readonly NodeVoice[] {
    const byNode = new Map<string, NodeVoice>();
    for (const entry of this.#entries.values()) {
      if (this.#alive(entry)) byNode.set(entry.lease.node, entry.lease);
    }
    return [...byNode.values()];
  }

  #firstSeen(lease: NodeLease, before: Entry | undefined): number {
    const nowMs = this.#clock.monotonicMs();
    if (before !== undefined) return nowMs;
    const ageMs = this.#clock.nowMs() - Date.parse(lease.renewTime);
    return ageMs < lease.durationSeconds * 1000 + SKEW_MS ? nowMs : Number.NEGATIVE_INFINITY;
  }

  #alive({ lease, renewedAtMs }: Entry): boolean {
    return this.#clock.monotonicMs() - renewedAtMs < lease.durationSeconds * 1000;
  }
}
