/** Test support: places and hooks without a kernel. The owner moves addresses about and puts others on interfaces. */
import type { Ip } from '../../net/ip.ts';
import type { HookSet, HookStatus } from '../hooks/hook-set.ts';
import { type Location, noInterface } from '../place/location.ts';
import type { PodPlaces } from '../place/pod-places.ts';

export class FakePlaces implements PodPlaces {
  readonly locations = new Map<Ip, Location>();
  finds = 0;
  #listener: () => void = () => undefined;

  put(address: Ip, ifindex: number): void {
    this.locations.set(address, { ifindex, ifname: `veth${ifindex}`, netnsId: ifindex + 1000 });
  }

  tell(): void {
    this.#listener();
  }

  find(address: Ip): Location {
    this.finds++;
    const found = this.locations.get(address);
    if (found === undefined) throw noInterface(address, 'nobody put it there', 'none');
    return found;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#listener = () => undefined;
  }
}

export class FakeHooks implements HookSet {
  /** What `attach` finds; `alone` where nothing is set. */
  readonly found = new Map<number, HookStatus>();
  readonly attached = new Map<number, HookStatus>();
  /** Interfaces that nobody can attach to. */
  readonly refused = new Set<number>();
  /** Each of these would be system calls. */
  calls = 0;

  attach(ifindex: number): HookStatus {
    this.calls++;
    if (this.refused.has(ifindex)) throw new Error(`cannot attach to interface ${ifindex}`);
    const status = this.found.get(ifindex) ?? { kind: 'tcx', order: 'alone', others: [] };
    this.attached.set(ifindex, status);
    return status;
  }

  status(ifindex: number): HookStatus | undefined {
    return this.attached.get(ifindex);
  }

  detach(ifindex: number): void {
    this.calls++;
    this.attached.delete(ifindex);
  }

  ifindexes(): readonly number[] {
    this.calls++;
    return [...this.attached.keys()].sort((a, b) => a - b);
  }

  inherit(): void {
    this.calls++;
  }

  sweep(): readonly number[] {
    this.calls++;
    return [...this.attached.keys()];
  }

  onChange(): void {
    // Who wants to hear of a change makes it, and tells the one under test.
  }

  close(): void {
    this.attached.clear();
  }
}
