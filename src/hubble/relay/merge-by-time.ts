/**
 * Several agents' flows as one stream in the order of time. Each stream is in order by itself, so the earliest head is
 * next as soon as every stream has one; a stream that is silent holds the others up for the reorder window and no longer,
 * because a follower wants to see what happens now.
 */
import type { GetFlowsResponse } from '../../flow/api.ts';
import { parseTime } from '../../flow/time.ts';
import type { Clock } from '../../telemetry/clock.ts';

export interface MergeOptions {
  readonly clock: Clock;
  /** Milliseconds a flow waits for streams that are silent; Infinity when they all end by themselves. */
  readonly windowMs: number;
  /** Streams that come while others are being merged; the whole ends when this has ended, too. */
  readonly joining?: AsyncIterable<AsyncIterable<GetFlowsResponse, void, void>, void, void>;
}

type Stream = AsyncIterator<GetFlowsResponse, void, void>;

interface Head {
  readonly response: GetFlowsResponse;
  readonly timeNs: bigint;
  readonly arrivedMs: number;
}

interface Lane {
  readonly stream: Stream;
  head: Head | undefined;
  ended: boolean;
  /** Never rejects: what the stream threw waits in `failure` for the loop to throw it. */
  pending: Promise<void> | undefined;
  failure: unknown;
}

/** Throws what a stream throws; the others are then left to their signal. */
export async function* mergeByTime(
  streams: readonly AsyncIterable<GetFlowsResponse, void, void>[],
  options: MergeOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  let lanes: readonly Lane[] = streams.map(laneOf);
  const door =
    options.joining &&
    openDoor(options.joining, (stream) => {
      lanes = [...lanes, laneOf(stream)];
    });
  for (;;) {
    lanes = lanes.filter(({ head, ended }) => head !== undefined || !ended);
    for (const lane of lanes) fill(lane, options.clock);
    const failed = lanes.find(({ failure }) => failure !== undefined);
    if (failed !== undefined) throw failed.failure;
    const earliest = earliestOf(lanes);
    const silent = lanes.filter(({ head, ended }) => head === undefined && !ended);
    if (earliest === undefined && silent.length === 0 && door?.isOpen !== true) return;
    const waitMs = earliest === undefined ? Number.POSITIVE_INFINITY : remainingMs(earliest, options);
    if (earliest === undefined || (silent.length > 0 && waitMs > 0)) {
      await anyOf(
        [...silent.flatMap(({ pending }) => pending ?? []), ...doorsOf(door)],
        waitMs,
        options.clock,
      );
      continue;
    }
    if (earliest.head === undefined) return;
    const { response } = earliest.head;
    earliest.head = undefined;
    yield response;
  }
}

function laneOf(stream: AsyncIterable<GetFlowsResponse, void, void>): Lane {
  const iterator = stream[Symbol.asyncIterator]();
  return { stream: iterator, head: undefined, ended: false, pending: undefined, failure: undefined };
}

/** Through which streams come; never rejects. */
interface Door {
  isOpen: boolean;
  /** Resolves when somebody has come in, or it has closed. */
  next: Promise<void>;
}

function openDoor(
  joining: NonNullable<MergeOptions['joining']>,
  enter: (stream: AsyncIterable<GetFlowsResponse, void, void>) => void,
): Door {
  const iterator = joining[Symbol.asyncIterator]();
  const door: Door = { isOpen: true, next: Promise.resolve() };
  const wait = async (): Promise<void> => {
    const result = await iterator.next().catch(() => ({ done: true, value: undefined }) as const);
    if (result.done === true) {
      door.isOpen = false;
      return;
    }
    enter(result.value);
    door.next = wait();
  };
  door.next = wait();
  return door;
}

function doorsOf(door: Door | undefined): readonly Promise<void>[] {
  return door?.isOpen === true ? [door.next] : [];
}

function fill(lane: Lane, clock: Clock): void {
  if (lane.head !== undefined || lane.ended || lane.pending !== undefined) return;
  lane.pending = lane.stream.next().then(
    (result) => {
      lane.pending = undefined;
      if (result.done === true) lane.ended = true;
      else lane.head = headOf(result.value, clock);
    },
    (error: unknown) => {
      lane.pending = undefined;
      lane.failure = error;
    },
  );
}

function headOf(response: GetFlowsResponse, clock: Clock): Head {
  return { response, timeNs: parseTime(response.time) ?? 0n, arrivedMs: clock.monotonicMs() };
}

/** Of equals the first stream's, so that the order does not depend on who was faster. */
function earliestOf(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) {
    if (lane.head !== undefined && (best?.head === undefined || lane.head.timeNs < best.head.timeNs))
      best = lane;
  }
  return best;
}

function remainingMs(lane: Lane, { clock, windowMs }: MergeOptions): number {
  return (lane.head?.arrivedMs ?? 0) + windowMs - clock.monotonicMs();
}

async function anyOf(pending: readonly Promise<void>[], waitMs: number, clock: Clock): Promise<void> {
  if (waitMs === Number.POSITIVE_INFINITY) return Promise.race(pending);
  let wake = (): void => undefined;
  const timeout = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const timer = clock.after(waitMs, wake);
  try {
    await Promise.race([...pending, timeout]);
  } finally {
    timer.cancel();
  }
}
