/**
 * What the programs ask of a backend beside its socket: one row of the kernel's `health` array for each address and
 * port, so both protocols share it. A backend's row number stands in its entry of the backends map, so a new agent finds
 * the rows that the one before wrote, and until it knows better they stay in force.
 * A row is taken back when nobody leads to its backend and no process holds a seat for it.
 */
import type { Ip } from '../../net/ip.ts';
import type { Port } from '../../net/port.ts';
import { type MapEntries, u32Bytes } from '../../sys/bpf-map.ts';
import type { BackendHealth } from '../datapath.ts';
import { decodeHealth, encodeHealth, MAX_HEALTH } from './abi.gen.ts';

/** `down` is a number in the kernel; its words did not survive the process that wrote them. */
const FOUND_DOWN = 'an earlier agent found it so';

interface Entry {
  readonly index: number;
  row: BackendHealth;
  /** An entry of the backends map leads to it. */
  isNamed: boolean;
}

export class HealthTable {
  readonly #map: MapEntries;
  readonly #entries = new Map<string, Entry>();
  readonly #used = new Set<number>();
  #last = 0;

  /** The map stays the caller's. */
  constructor(map: MapEntries) {
    this.#map = map;
  }

  /** Takes over what stands in row `index`, which an entry of the backends map names. */
  inherit(address: Ip, port: Port, index: number): void {
    const value = index === 0 ? undefined : this.#map.lookup(u32Bytes(index));
    if (value === undefined || this.#entries.has(keyOf({ address, port }))) return;
    const { seat, down } = decodeHealth(value);
    const row = {
      address,
      port,
      ...(seat === 0 ? {} : { seat }),
      ...(down === 0 ? {} : { down: FOUND_DOWN }),
    };
    this.#entries.set(keyOf(row), { index, row, isNamed: true });
    this.#used.add(index);
    this.#last = Math.max(this.#last, index);
  }

  /** For an entry of the backends map; 0 when all rows are taken: then nothing but the socket is asked. */
  indexOf(address: Ip, port: Port): number {
    const entry = this.#entryOf(address, port);
    if (entry === undefined) return 0;
    entry.isNamed = true;
    return entry.index;
  }

  set(row: BackendHealth): void {
    const entry = this.#entryOf(row.address, row.port);
    if (entry === undefined) return;
    const same = entry.row.seat === row.seat && (entry.row.down === undefined) === (row.down === undefined);
    entry.row = row;
    if (!same) {
      const value = { seat: row.seat ?? 0, down: row.down === undefined ? 0 : 1 };
      this.#map.update(u32Bytes(entry.index), encodeHealth(value));
    }
    // A cache that ends gives its seat back after its pod has gone from the backends.
    if (!entry.isNamed && row.seat === undefined && row.down === undefined) this.#forget(row);
  }

  rows(): readonly BackendHealth[] {
    return [...this.#entries.values()].map((entry) => entry.row);
  }

  /** Called when no entry of the backends map names the row any more. */
  release(address: Ip, port: Port): void {
    const entry = this.#entries.get(keyOf({ address, port }));
    if (entry === undefined) return;
    entry.isNamed = false;
    if (entry.row.seat === undefined) this.set({ address, port });
  }

  #entryOf(address: Ip, port: Port): Entry | undefined {
    const known = this.#entries.get(keyOf({ address, port }));
    if (known !== undefined) return known;
    const index = this.#freeIndex();
    if (index === 0) return undefined;
    this.#clear(index);
    const entry = { index, row: { address, port }, isNamed: false };
    this.#used.add(index);
    this.#entries.set(keyOf({ address, port }), entry);
    return entry;
  }

  /** An agent that was killed between two writes may have left what it knew of somebody else. */
  #clear(index: number): void {
    const key = u32Bytes(index);
    const value = this.#map.lookup(key);
    const left = value === undefined ? undefined : decodeHealth(value);
    if (left !== undefined && (left.seat !== 0 || left.down !== 0))
      this.#map.update(key, encodeHealth({ seat: 0, down: 0 }));
  }

  #forget(place: Pick<BackendHealth, 'address' | 'port'>): void {
    const entry = this.#entries.get(keyOf(place));
    if (entry !== undefined) this.#used.delete(entry.index);
    this.#entries.delete(keyOf(place));
  }

  /** The next one never used; once round, the next one free. */
  #freeIndex(): number {
    for (let step = 0; step < MAX_HEALTH - 1; step++) {
      const index = ((this.#last + step) % (MAX_HEALTH - 1)) + 1;
      if (this.#used.has(index)) continue;
      this.#last = index;
      return index;
    }
    return 0;
  }
}

function keyOf({ address, port }: Pick<BackendHealth, 'address' | 'port'>): string {
  return `${address} ${port}`;
}
