/**
 * Several agents' flows as one stream in the order of time. Each stream is in order by itself, so the earliest head is
 * next as soon as every stream has one; a stream that is silent holds the others up for the reorder window and no longer,
 * because a follower wants to see what happens now.
 */
import type { GetFlowsResponse } from '../flow/api.ts';
import { parseTime } from '../flow/time.ts';
import type { Clock } from '../telemetry/clock.ts';

export interface MergeOptions {
  readonly clock: Clock;
  /** Milliseconds a flow waits for streams that are silent; Infinity when they all end by themselves. */
  readonly windowMs: number;
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
  const lanes: readonly Lane[] = streams.map((stream) => ({
    stream: stream[Symbol.asyncIterator](),
    head: undefined,
    ended: false,
    pending: undefined,
    failure: undefined,
  }));
  for (;;) {
    for (const lane of lanes) fill(lane, options.clock);
    const failed = lanes.find(({ failure }) => failure !== undefined);
    if (failed !== undefined) throw failed.failure;
    const earliest = earliestOf(lanes);
    const silent = lanes.filter(({ head, ended }) => head === undefined && !ended);
    if (earliest === undefined && silent.length === 0) return;
    const waitMs = earliest === undefined ? Number.POSITIVE_INFINITY : remainingMs(earliest, options);
    if (silent.length > 0 && waitMs > 0) {
      await anyOf(silent, waitMs, options.clock);
      continue;
    }
    if (earliest?.head === undefined) return;
    const { response } = earliest.head;
    earliest.head = undefined;
    yield response;
  }
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

async function anyOf(lanes: readonly Lane[], waitMs: number, clock: Clock): Promise<void> {
  const pending = lanes.flatMap((lane) => lane.pending ?? []);
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
