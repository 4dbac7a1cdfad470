/** Test support: a cache with partitions, its mirror on a shelf in plain memory, and both ways to an answer. */
import { VirtualClock } from '../../telemetry/virtual-clock.ts';
import { createAnswerCache } from '../../wirecache/answer-cache.ts';
import type { Partition, PartitionSpec, WireAnswer } from '../../wirecache/contract.ts';
import { createPacketAnswerer } from '../../wirecache/packet-answerer.ts';
import { key, name, packetSlot } from '../../wirecache/testing/answers.ts';
import { createAnswerMirror } from '../answer-mirror.ts';
import type { CopiedRoute } from '../contract.ts';
import type { ShelfMemory, ShelfSize } from '../shelf-memory.ts';
import { plainShelf } from './plain-shelf.ts';
import { ShelfReader } from './shelf-reader.ts';

export const VIEW = 7;
/** CLOCK_MONOTONIC when the cache's clock began. */
export const BOOT_NS = 86_400_123_456_789n;

export interface BenchOptions {
  readonly shelf?: Partial<ShelfSize>;
  readonly zones?: readonly string[];
  readonly route?: Partial<CopiedRoute>;
  readonly spec?: Partial<PartitionSpec>;
  readonly budgetBytes?: number;
  readonly clock?: VirtualClock;
  /** Default: new. */
  readonly memory?: ShelfMemory;
}

/** One listener with a partition behind each zone. */
export function mirrorBench({
  shelf: size,
  zones = ['.'],
  route = {},
  spec = {},
  budgetBytes,
  clock = new VirtualClock(),
  memory = plainShelf(size),
}: BenchOptions = {}) {
  const cache = createAnswerCache({ budgetBytes: budgetBytes ?? 4 << 20, random: Math.random });
  const open = (): Partition =>
    cache.open({
      successEntries: 10_000,
      denialEntries: 10_000,
      keepTtl: false,
      prefetch: undefined,
      ...spec,
    });
  const partitions = zones.map(open);
  const turns: (() => void)[] = [];
  const nowNs = () => BOOT_NS + BigInt(Math.round(clock.monotonicMs() * 1e6));
  const mirror = createAnswerMirror({ cache, clock, monotonicNs: nowNs, later: (run) => turns.push(run) });
  const listener = (view = VIEW, other: Partial<CopiedRoute> = {}) => ({
    view,
    routes: zones.map((zone, i) => ({
      zone: name(zone),
      copied: {
        partition: partitions[i]?.id ?? 0,
        shuffle: false,
        limitBytes: undefined,
        logged: false,
        ...route,
        ...other,
      },
    })),
  });
  mirror.replaceListeners([listener()]);
  mirror.useShelf(memory);
  const reader = new ShelfReader(memory);
  const { packets, put, bytes } = packetSlot();
  cache.replaceRoutes([
    zones.map((zone, i) => ({
      zone: name(zone),
      replay: {
        partition: partitions[i]?.id ?? 0,
        shuffle: route.shuffle ?? false,
        limitBytes: route.limitBytes,
        counted: false,
      },
    })),
  ]);
  const answerer = createPacketAnswerer(cache.shared, { seat: cache.openSeat()?.number ?? 0, packets });
  return {
    clock,
    cache,
    partitions,
    partition: partitions[0] as Partition,
    open,
    memory,
    mirror,
    listener,
    reader,
    nowNs,
    /** What is left of the turns that were asked for so far, and of those that they ask for. */
    settle() {
      for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) turn();
    },
    turn: () => turns.shift()?.(),
    store(text: string, answer: WireAnswer, share: 'success' | 'denial' = 'success', other = {}) {
      return partitions[0]?.insert(key(text, other), share, { ...answer, storedMs: clock.monotonicMs() });
    },
    /** As the kernel's programs would. */
    ask: (query: Uint8Array, view = VIEW, family: 4 | 6 = 4) => reader.answer(query, view, nowNs(), family),
    /** As packet threads would. */
    askThread(query: Uint8Array, family: 4 | 6 = 4): Uint8Array | undefined {
      answerer.begin();
      const length = answerer.answer(0, put(query), 0, family, clock.monotonicMs());
      answerer.end(clock.monotonicMs());
      return length === 0 ? undefined : bytes.slice(0, length);
    },
  };
}
