/**
 * Both ways to an answer over one cache: the packet program, loaded, with a real shelf that the cache's mirror fills, and the
 * reader of packet threads. Backends are dead: what the program does not answer it leaves exactly as it came. Needs root.
 */
import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { encodeAnswerSource } from '../../../src/answermap/answer-abi.gen.ts';
import { type AnswerMirror, createAnswerMirror } from '../../../src/answermap/answer-mirror.ts';
import { mapShelf, type ShelfMemory } from '../../../src/answermap/shelf-memory.ts';
import { KernelShelfStore } from '../../../src/datapath/answers/kernel-shelf-store.ts';
import { OUTER_MAPS, shelfHead, sizesFor } from '../../../src/datapath/answers/shelf-layout.ts';
import type { AnswerShelf } from '../../../src/datapath/datapath.ts';
import { ENDPOINT_ANSWERED, encodeConfig } from '../../../src/datapath/kernel/abi.gen.ts';
import { type RunResult, TestPrograms } from '../../../src/datapath/testing/test-programs.ts';
import { parseName } from '../../../src/dns/name.ts';
import { type Ip, parseIp } from '../../../src/net/ip.ts';
import { parsePort } from '../../../src/net/port.ts';
import { u32Bytes } from '../../../src/sys/bpf-map.ts';
import { systemClock } from '../../../src/telemetry/clock.ts';
import { createAnswerCache } from '../../../src/wirecache/answer-cache.ts';
import type { AnswerCache, Partition, RouteSpec, Share } from '../../../src/wirecache/contract.ts';
import { createPacketAnswerer } from '../../../src/wirecache/packet-answerer.ts';
import { packetSlot } from '../../../src/wirecache/testing/answers.ts';
import { type StoredAnswer, ZONES, type ZoneShape } from './stored-answers.ts';

export interface ServerEnd {
  readonly listener: number;
  readonly family: 4 | 6;
  readonly address: Ip;
  /** A pod that may be answered, and one that may not. */
  readonly client: Ip;
  readonly barred: Ip;
}

const SHELF = 3;
const VIEWS = [2, 5];
const CACHE_BYTES = 48 << 20;
const PREFETCH = { hits: 2, gapMs: 60_000, percent: 10 };
/** The loopback, which a test run pretends to come from. */
const IFINDEX = 1;
const OWN_NETNS = -1;

const port = known(parsePort('53'));
const DEAD = { 4: known(parseIp('172.20.0.30')), 6: known(parseIp('fd00::30')) };

export const SERVER_ENDS: readonly ServerEnd[] = [0, 1].flatMap((listener) => [
  {
    listener,
    family: 4 as const,
    address: ip(`10.96.0.1${listener}`),
    client: ip('172.20.0.10'),
    barred: ip('172.20.0.11'),
  },
  {
    listener,
    family: 6 as const,
    address: ip(`fd00:96::1${listener}`),
    client: ip('fd00::10'),
    barred: ip('fd00::11'),
  },
]);

export class AnswerSides {
  readonly mirror: AnswerMirror;
  readonly memory: ShelfMemory;
  readonly programs: TestPrograms;
  readonly #shelf: AnswerShelf;
  readonly #store: KernelShelfStore;
  readonly #cache: AnswerCache;
  readonly #partitions: readonly (readonly Partition[])[];
  readonly #slot = packetSlot();
  readonly #answerer;

  /** `directory` is on a bpffs; it stays the caller's, like the namespace that this thread is in. */
  constructor(directory: string, entries: number) {
    this.programs = new TestPrograms(directory);
    this.programs.map('config').update(u32Bytes(0), encodeConfig({ listening: 0 }));
    this.#store = new KernelShelfStore({ outer: this.#outerMaps(), pins: noPins });
    const sizes = sizesFor(entries);
    this.#shelf = this.#store.create(SHELF, sizes, shelfHead(sizes.sets, randomBytes(8)));
    const [index, small, large] = this.#shelf.fds;
    this.memory = mapShelf([index, small, large], this.#shelf);
    this.#cache = createAnswerCache({ budgetBytes: CACHE_BYTES, random: Math.random });
    const first = ZONES.map((zone) => this.#open(zone));
    const second = ZONES.map((zone, i) => (zone.shared === true ? known(first[i]) : this.#open(zone)));
    this.#partitions = [first, second];
    this.mirror = createAnswerMirror({ cache: this.#cache, clock: systemClock });
    this.mirror.replaceListeners(
      VIEWS.map((view, listener) => ({
        view,
        routes: ZONES.map((zone, i) => this.#mirrored(listener, zone, i)),
      })),
    );
    // Behind the listeners themselves the same ones once more, but that they leave the order as it is.
    this.#cache.replaceRoutes([
      ...VIEWS.map((_, listener) => this.#routes(listener, true)),
      ...VIEWS.map((_, listener) => this.#routes(listener, false)),
    ]);
    const seat = known(this.#cache.openSeat()).number;
    this.#answerer = createPacketAnswerer(this.#cache.shared, { seat, packets: this.#slot.packets });
    this.#serve();
  }

  useShelf(): void {
    this.mirror.useShelf(this.memory);
  }

  /** Until the mirror has gone through all that the cache has. */
  async settle(): Promise<void> {
    for (let [before, same] = [-1, 0]; same < 100; await turn()) {
      const { entries } = this.mirror.stats;
      same = entries === before ? same + 1 : 0;
      before = entries;
    }
  }

  store(stored: StoredAnswer): void {
    const partition = this.#partitionOf(stored);
    partition.insert(stored.key, stored.share, stored.answer);
    if (stored.beside !== undefined) partition.insert(stored.key, otherShare(stored.share), stored.beside);
  }

  remove(stored: StoredAnswer): void {
    const partition = this.#partitionOf(stored);
    partition.remove(stored.key, stored.share);
    partition.remove(stored.key, otherShare(stored.share));
  }

  run(frame: Uint8Array): RunResult {
    return this.programs.run('from_endpoint', frame);
  }

  /** What a packet thread says at that moment; in the order that is stored if `inOrder`. */
  answer(
    query: Uint8Array,
    { listener, family }: ServerEnd,
    nowMs: number,
    inOrder: boolean,
  ): Uint8Array | undefined {
    // Longer ones never come as far as a packet thread's slot.
    if (query.length > this.#slot.bytes.length) return undefined;
    const at = listener + (inOrder ? VIEWS.length : 0);
    this.#answerer.begin();
    const length = this.#answerer.answer(0, this.#slot.put(query), at, family, nowMs);
    this.#answerer.end(nowMs);
    return length === 0 ? undefined : this.#slot.bytes.slice(0, length);
  }

  close(): void {
    this.mirror.close();
    this.memory.close();
    this.#store.discard(SHELF);
    this.#store.release(this.#shelf);
    this.programs.close();
  }

  #partitionOf({ listener, zone }: StoredAnswer): Partition {
    return known(this.#partitions[listener]?.[ZONES.indexOf(zone)]);
  }

  #open({ keepTtl = false, prefetch = false, positiveFirst = false }: ZoneShape): Partition {
    return this.#cache.open({
      ...{ successEntries: 20_000, denialEntries: 20_000, keepTtl, positiveFirst },
      prefetch: prefetch ? PREFETCH : undefined,
    });
  }

  #mirrored(listener: number, { zone, shuffle = false, limitBytes, own }: ZoneShape, i: number) {
    const partition = known(this.#partitions[listener]?.[i]).id;
    const route = { zone: known(parseName(`${zone}.`)) };
    return own === true ? route : { ...route, copied: { partition, shuffle, limitBytes, logged: false } };
  }

  #routes(listener: number, shuffles: boolean): RouteSpec[] {
    return ZONES.map(({ zone, shuffle = false, limitBytes, own }, i) => {
      const partition = known(this.#partitions[listener]?.[i]).id;
      const replay = { partition, shuffle: shuffle && shuffles, limitBytes, counted: false };
      return { zone: known(parseName(`${zone}.`)), replay: own === true ? undefined : replay };
    });
  }

  #outerMaps() {
    const { index, small, large, log } = OUTER_MAPS;
    const map = (name: string) => this.programs.map(name);
    return { index: map(index), small: map(small), large: map(large), log: map(log) };
  }

  #serve(): void {
    const { endpoints, table } = this.programs;
    for (const { listener, family, address, client, barred } of SERVER_ENDS) {
      endpoints.write([client], IFINDEX, ENDPOINT_ANSWERED);
      endpoints.write([barred], IFINDEX, 0);
      const backend = {
        address: DEAD[family],
        port,
        protocol: 'UDP' as const,
        ifindex: IFINDEX,
        netnsId: OWN_NETNS,
      };
      const { id } = table.write({ address, port, protocol: 'UDP' }, 0, [backend]);
      const source = encodeAnswerSource({ shelf: SHELF, view: known(VIEWS[listener]) });
      this.programs.map('answer_sources').update(u32Bytes(id), source);
    }
  }
}

/** Nobody opens this shelf after us. */
const noPins = { names: () => [], open: () => undefined, pin: () => undefined, remove: () => undefined };

const otherShare = (share: Share): Share => (share === 'success' ? 'denial' : 'success');

function ip(text: string): Ip {
  return known(parseIp(text));
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('There is none');
  return value;
}
