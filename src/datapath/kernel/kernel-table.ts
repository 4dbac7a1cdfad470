/**
 * The redirect tables in the kernel: frontends, their slots, and backends. What is there is read once at the start, so
 * ids survive restarts; after that only differences are written.
 * Order of writes: backends before slots, slots before the count, the count before the frontend that leads to it, and
 * all of it backwards when something goes. So no packet ever meets a reference to nothing.
 */
import { AppError } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { ipFamily, ipFromBytes, ipMappedBytes, parseIp } from '../../net/ip.ts';
import { type Port, PROTOCOL_NUMBERS, PROTOCOLS, type Protocol, toPort } from '../../net/port.ts';
import type { MapEntries } from '../../sys/bpf-map.ts';
import { u32Bytes } from '../../sys/bpf-map.ts';
import type { AnswerSources, Place } from '../answers/answer-sources.ts';
import type { GoneBackend } from '../datapath.ts';
import { DATAPATH_ERRORS } from '../errors.ts';
import type { FoundFrontend } from '../inherited.ts';
import type { Location } from '../place/location.ts';
import {
  BACKEND_IPV6,
  decodeBackend,
  decodeFrontend,
  decodeFrontendKey,
  decodeFrontendSlots,
  encodeBackend,
  encodeFrontend,
  encodeFrontendKey,
  encodeFrontendSlots,
  MAX_FRONTENDS,
  MAX_SLOTS,
} from './abi.gen.ts';
import type { HealthTable } from './health-table.ts';

export interface Tuple {
  readonly address: Ip;
  readonly port: Port;
  readonly protocol: Protocol;
}

export type BackendTarget = Tuple & Pick<Location, 'ifindex' | 'netnsId'>;

export interface RedirectMaps {
  readonly frontends: MapEntries;
  readonly slots: MapEntries;
  readonly backends: MapEntries;
}

export interface TableOptions {
  /** Connections may be left of what goes now. */
  readonly onTcpGone?: () => void;
  /** Sees to it that nobody is answered from a process that is no backend. Default: nobody is answered. */
  readonly sources?: AnswerSources;
}

interface Entry {
  readonly id: number;
  readonly key: Uint8Array;
  flags: number;
  backends: readonly number[];
}

const ID_LIMIT = 0x7fffffff;

export class KernelTable {
  readonly #maps: RedirectMaps;
  readonly #health: HealthTable;
  readonly #entries = new Map<string, Entry>();
  readonly #usedIds = new Set<number>();
  /** By what they are, not by id. */
  readonly #backends = new Map<string, number>();
  /** How many slots lead to a backend, by its id; one that none leads to stays until it is collected. */
  readonly #uses = new Map<number, number>();
  readonly #idle = new Set<number>();
  readonly #options: TableOptions;
  #lastBackendId = 0;
  #lastFrontendId = 0;

  /** The maps stay the caller's. Reads all that is there. */
  constructor(maps: RedirectMaps, health: HealthTable, options: TableOptions = {}) {
    this.#maps = maps;
    this.#options = options;
    this.#health = health;
    this.#readBackends();
    this.#readFrontends();
  }

  /** Every frontend the kernel redirects now, whoever wrote it. */
  rows(): readonly FoundFrontend[] {
    const byId = this.#namesById();
    return [...this.#entries].flatMap(([name, entry]) => {
      const backends = entry.backends.flatMap((id) => tupleOf(byId.get(id) ?? ''));
      return tupleOf(name).map((tuple) => ({ id: entry.id, tuple, backends }));
    });
  }

  idOf(tuple: Tuple): number | undefined {
    return this.#entries.get(tupleKey(tuple))?.id;
  }

  /** Makes the frontend lead to exactly these backends, at least one; the rest beyond MAX_SLOTS is left out. */
  write(tuple: Tuple, flags: number, targets: readonly BackendTarget[]): { id: number; changed: boolean } {
    const ids = targets.slice(0, MAX_SLOTS).map((target) => this.#writeBackend(target));
    const places = targets.slice(0, MAX_SLOTS);
    const known = this.#entries.get(tupleKey(tuple));
    if (known === undefined) {
      const id = this.#freeFrontendId(tuple);
      this.#follow(tuple, id, places, () => this.#add(tuple, flags, { id, backends: ids }));
      return { id, changed: true };
    }
    const sameBackends =
      ids.length === known.backends.length && ids.every((id, i) => id === known.backends[i]);
    this.#follow(tuple, known.id, places, () => {
      if (!sameBackends) this.#writeSlots(known, ids);
    });
    if (known.flags !== flags) {
      this.#maps.frontends.update(known.key, encodeFrontend({ id: known.id, flags }));
      known.flags = flags;
    }
    return { id: known.id, changed: !sameBackends };
  }

  /** Takes all backends from a frontend that is answered without them; false, and nothing done, where it is not. */
  hold(tuple: Tuple): boolean {
    const known = this.#entries.get(tupleKey(tuple));
    const { sources } = this.#options;
    if (known === undefined || sources === undefined || tuple.protocol !== 'UDP') return false;
    return sources.hold(known.id, () => this.#writeSlots(known, []));
  }

  /** The same where its backends are still wanted and cannot be reached. */
  strand(tuple: Tuple, wanted: readonly Tuple[]): boolean {
    const known = this.#entries.get(tupleKey(tuple));
    const { sources } = this.#options;
    if (known === undefined || sources === undefined || tuple.protocol !== 'UDP') return false;
    return sources.strand(known.id, wanted, () => {
      if (known.backends.length > 0) this.#writeSlots(known, []);
    });
  }

  remove(tuple: Tuple): void {
    const known = this.#entries.get(tupleKey(tuple));
    if (known !== undefined) this.#drop(tupleKey(tuple), known);
  }

  /** Removes every frontend not in `keep`. */
  prune(keep: readonly Tuple[]): void {
    const kept = new Set(keep.map(tupleKey));
    for (const [key, entry] of this.#entries) if (!kept.has(key)) this.#drop(key, entry);
  }

  /** Removes every backend that nobody leads to; tells which addresses went with them. */
  collect(): readonly GoneBackend[] {
    if (this.#idle.size === 0) return [];
    const names = [...this.#backends].filter(([, id]) => this.#idle.has(id)).map(([name]) => name);
    for (const name of names) {
      this.#maps.backends.delete(u32Bytes(this.#backends.get(name) ?? 0));
      this.#backends.delete(name);
    }
    for (const id of this.#idle) this.#uses.delete(id);
    this.#idle.clear();
    const left = [...this.#backends.keys()].flatMap(tupleOf);
    const leftTuples = new Set(left.map(tupleKey));
    const leftPlaces = new Set(left.map(({ address, port }) => `${address} ${port}`));
    const gone = names.flatMap(tupleOf).filter((tuple) => !leftTuples.has(tupleKey(tuple)));
    for (const { address, port } of gone)
      if (!leftPlaces.has(`${address} ${port}`)) this.#health.release(address, port);
    return gone;
  }

  /** Addresses that the kernel knows as backends', those that nobody leads to any more included. */
  backendAddresses(): ReadonlySet<Ip> {
    return new Set([...this.#backends.keys()].flatMap(tupleOf).map(({ address }) => address));
  }

  #namesById(): ReadonlyMap<number, string> {
    return new Map([...this.#backends].map(([name, id]) => [id, name]));
  }

  #readBackends(): void {
    for (const key of this.#maps.backends.keys()) {
      const value = this.#maps.backends.lookup(key);
      if (value === undefined) continue;
      const { address, port, protocol, ifindex, netnsId, health } = decodeBackend(value);
      const known = toPort(port);
      if (known !== undefined) this.#health.inherit(ipFromBytes(address), known, health);
      const id = new DataView(key.buffer).getUint32(0, true);
      this.#backends.set([ipFromBytes(address), port, protocol, ifindex, netnsId].join(' '), id);
      this.#lastBackendId = Math.max(this.#lastBackendId, id);
      this.#idle.add(id);
    }
  }

  #readFrontends(): void {
    const byId = this.#namesById();
    for (const key of this.#maps.frontends.keys()) {
      const value = this.#maps.frontends.lookup(key);
      if (value === undefined) continue;
      const { address, port, protocol } = decodeFrontendKey(new DataView(key.buffer));
      const { id, flags } = decodeFrontend(value);
      const slots = this.#maps.slots.lookup(u32Bytes(id));
      const { count, backends } = slots ? decodeFrontendSlots(slots) : { count: 0, backends: [] };
      const name = [ipFromBytes(address), port, protocol].join(' ');
      const entry = { id, key, flags, backends: backends.slice(0, count) };
      this.#entries.set(name, entry);
      this.#usedIds.add(id);
      this.#countUses(entry.backends, 1);
      this.#lastFrontendId = Math.max(this.#lastFrontendId, id);
      const places = entry.backends.flatMap((backend) => tupleOf(byId.get(backend) ?? ''));
      if (tupleOf(name)[0]?.protocol === 'UDP') this.#options.sources?.inherit(id, places);
    }
  }

  #add(tuple: Tuple, flags: number, { id, backends }: Pick<Entry, 'id' | 'backends'>): void {
    const port = { port: tuple.port, protocol: PROTOCOL_NUMBERS[tuple.protocol] };
    const key = encodeFrontendKey({ address: ipMappedBytes(tuple.address), ...port });
    const entry = { id, key, flags, backends: [] };
    this.#writeSlots(entry, backends);
    this.#maps.frontends.update(key, encodeFrontend({ id, flags }));
    this.#entries.set(tupleKey(tuple), entry);
    this.#usedIds.add(id);
  }

  /** The next one never used; once round, the next one free. */
  #freeFrontendId(tuple: Tuple): number {
    for (let step = 1; step < MAX_FRONTENDS; step++) {
      const id = ((this.#lastFrontendId + step - 1) % (MAX_FRONTENDS - 1)) + 1;
      if (this.#usedIds.has(id)) continue;
      this.#lastFrontendId = id;
      return id;
    }
    const message = `Cannot redirect ${tupleKey(tuple)}: the table is full: received frontend ${MAX_FRONTENDS}`;
    throw new AppError('DATAPATH_FULL', message, { hint: DATAPATH_ERRORS.DATAPATH_FULL.cure });
  }

  /** In two steps: a slot that is counted always leads to a backend. */
  #writeSlots(entry: Entry, backends: readonly number[]): void {
    const key = u32Bytes(entry.id);
    const union = [...backends, ...entry.backends.slice(backends.length)];
    this.#maps.slots.update(key, encodeFrontendSlots({ count: entry.backends.length, backends: union }));
    this.#maps.slots.update(key, encodeFrontendSlots({ count: backends.length, backends }));
    this.#countUses(backends, 1);
    this.#countUses(entry.backends, -1);
    entry.backends = backends;
  }

  #countUses(ids: readonly number[], by: 1 | -1): void {
    for (const id of ids) {
      const uses = (this.#uses.get(id) ?? 0) + by;
      this.#uses.set(id, uses);
      if (uses > 0) this.#idle.delete(id);
      else this.#idle.add(id);
    }
  }

  #drop(name: string, entry: Entry): void {
    const { onTcpGone, sources } = this.#options;
    const isTcp = tupleOf(name)[0]?.protocol === 'TCP';
    if (isTcp) onTcpGone?.();
    const remove = () => {
      this.#maps.frontends.delete(entry.key);
      this.#writeSlots(entry, []);
    };
    if (isTcp || sources === undefined) remove();
    else sources.drop(entry.id, remove);
    this.#entries.delete(name);
    this.#usedIds.delete(entry.id);
  }

  /** Only UDP is answered without its backend. */
  #follow({ protocol }: Tuple, id: number, places: readonly Place[], change: () => void): void {
    const { sources } = this.#options;
    if (protocol === 'TCP' || sources === undefined) change();
    else sources.follow(id, places, change);
  }

  #writeBackend(target: BackendTarget): number {
    const protocol = PROTOCOL_NUMBERS[target.protocol];
    const name = [target.address, target.port, protocol, target.ifindex, target.netnsId].join(' ');
    const known = this.#backends.get(name);
    if (known !== undefined) return known;
    const id = (this.#lastBackendId % ID_LIMIT) + 1;
    const flags = ipFamily(target.address) === 6 ? BACKEND_IPV6 : 0;
    const { port, ifindex, netnsId } = target;
    const health = this.#health.indexOf(target.address, port);
    const value = { address: ipMappedBytes(target.address), port, protocol, flags, ifindex, netnsId, health };
    this.#maps.backends.update(u32Bytes(id), encodeBackend(value));
    this.#lastBackendId = id;
    this.#backends.set(name, id);
    this.#idle.add(id);
    return id;
  }
}

/** The inverse of `tupleKey`; a backend's name begins with one. */
function tupleOf(name: string): readonly Tuple[] {
  const [address, port, number] = name.split(' ');
  const known = { address: parseIp(address ?? ''), port: toPort(Number(port)) };
  const protocol = PROTOCOLS.find((word) => PROTOCOL_NUMBERS[word] === Number(number));
  if (known.address === undefined || known.port === undefined || protocol === undefined) return [];
  return [{ address: known.address, port: known.port, protocol }];
}

/** The name of a row: frontends are told apart by nothing else. */
export function tupleKey(tuple: Tuple): string {
  return [tuple.address, tuple.port, PROTOCOL_NUMBERS[tuple.protocol]].join(' ');
}
