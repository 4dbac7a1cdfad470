/**
 * Several nodes' flows as one stream in the order of time. Each stream is in order by itself, so the earliest head is next
 * as soon as every stream has one. A stream that is silent holds the others up for the reorder window and no longer, because
 * a follower wants to see what happens now; a clock that goes wrong on one node does not make the others wait, as what is
 * waited for is what might still come, by the time of arrival.
 */
import type { GetFlowsResponse } from '../../flow/api.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { type Head, Lane, type LaneOptions } from './lane.ts';

type Rows = AsyncIterable<GetFlowsResponse, void, void>;

export interface MergeOptions {
  readonly clock: Clock;
  /** Milliseconds a flow waits for streams that are silent; Infinity when they all end by themselves. */
  readonly windowMs: number;
  /** Streams that come while others are being merged; the whole ends when this has ended, too. */
  readonly joining?: AsyncIterable<Rows, void, void>;
  /** Rows that wait for nothing and nobody waits for. */
  readonly aside?: Aside;
}

export interface Aside {
  /** The next that is ready; with `all`, those that would rather wait for more are, too. */
  take(all: boolean): GetFlowsResponse | undefined;
  /** Set by the merge; to be called when something has become ready. */
  onReady: () => void;
}

/** Rows that are read ahead: of all streams together, and of one. */
const MOST_AHEAD = 1024;
const MOST_OF_ONE = 128;
const LEAST_OF_ONE = 8;

/** Throws what a stream throws. Whoever stops reading, or is thrown at, leaves the streams to their signal. */
export async function* mergeByTime(
  streams: readonly Rows[],
  options: MergeOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const { clock, aside, joining } = options;
  const bell = new Bell(clock);
  const lane: LaneOptions = { clock, ...boundsOf(options), onChange: bell.ring };
  const open = (stream: Rows) => new Lane(stream, lane);
  let lanes: readonly Lane[] = streams.map(open);
  const door = openDoor(joining, (stream) => {
    if (stream !== undefined) lanes = [...lanes, open(stream)];
    bell.ring();
  });
  if (aside !== undefined) aside.onReady = bell.ring;
  try {
    for (;;) {
      lanes = lanes.filter((lane) => throwing(lane) && !lane.isOver);
      const ahead = Math.max(LEAST_OF_ONE, Math.min(MOST_OF_ONE, Math.floor(MOST_AHEAD / lanes.length)));
      for (const lane of lanes) lane.fill(ahead);
      const isEnd = lanes.length === 0 && !door.isOpen;
      const other = aside?.take(isEnd);
      if (other !== undefined) {
        yield other;
        continue;
      }
      if (isEnd) return;
      const next = nextOf(lanes, options);
      if (next.waitMs > 0) {
        await bell.rung(next.waitMs);
        continue;
      }
      // Where rows wait for every stream, all that there is to say of them is known, and a reader may stop at any row.
      const word = Number.isFinite(options.windowMs) ? undefined : aside?.take(true);
      const response = word ?? next.lane?.take();
      if (response !== undefined) yield response;
    }
  } finally {
    for (const lane of lanes) lane.leave();
  }
}

/** A clock may be wrong by two windows before its node's rows are taken for history. */
function boundsOf({ clock, windowMs }: MergeOptions): Pick<LaneOptions, 'mostAheadMs' | 'liveSinceNs'> {
  const sinceMs = Number.isFinite(windowMs) ? Math.floor(clock.nowMs() - 2 * windowMs) : 0;
  return { mostAheadMs: windowMs, liveSinceNs: BigInt(sinceMs) * 1_000_000n };
}

/** True, or what the lane's stream threw. */
function throwing({ failure }: Lane): true {
  if (failure !== undefined) throw failure.error;
  return true;
}

interface Next {
  readonly lane?: Lane;
  /** Zero: it is its turn now. */
  readonly waitMs: number;
}

function nextOf(lanes: readonly Lane[], { clock, windowMs }: MergeOptions): Next {
  const lane = earliestOf(lanes);
  const head = lane?.head;
  if (lane === undefined || head === undefined) return { waitMs: Number.POSITIVE_INFINITY };
  let untilMs = 0;
  for (const silent of lanes)
    if (silent.isSilent) untilMs = Math.max(untilMs, waitsUntil(head, silent.lastMs, windowMs));
  const nowMs = clock.monotonicMs();
  if (untilMs <= nowMs) return { lane, waitMs: 0 };
  const late = latestOf(lanes);
  const lateMs = (late?.head?.arrivedMs ?? Number.POSITIVE_INFINITY) + 2 * windowMs;
  return late !== undefined && lateMs <= nowMs
    ? { lane: late, waitMs: 0 }
    : { waitMs: Math.min(untilMs, lateMs) - nowMs };
}

/**
 * Whose row has been here longest, of rows that are no history. Nodes whose clocks are behind have something earlier again
 * and again, and wait for each other: what happens now on other nodes does not wait for that.
 */
function latestOf(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) {
    const { head } = lane;
    if (head?.isLive !== true) continue;
    if (best?.head === undefined || head.arrivedMs < best.head.arrivedMs) best = lane;
  }
  return best;
}

/**
 * How long something earlier may still come from a lane that said nothing since `lastMs`. A row that was young when it came
 * waits out the window, for what the lane sees now may be on its way. A row that was old already waits only while the lane
 * has been silent for less than the window: a lane with history to tell would have told it. None waits longer than the window.
 */
function waitsUntil({ arrivedMs, ageMs }: Head, lastMs: number, windowMs: number): number {
  const youngMs = arrivedMs + Math.max(0, windowMs - ageMs);
  return Math.max(youngMs, Math.min(arrivedMs, lastMs) + windowMs);
}

/** Of equals the first stream's, so that the order does not depend on who was faster. */
function earliestOf(lanes: readonly Lane[]): Lane | undefined {
  let best: Lane | undefined;
  let bestNs = 0n;
  for (const lane of lanes) {
    const { head } = lane;
    if (head === undefined || (best !== undefined && head.timeNs >= bestNs)) continue;
    best = lane;
    bestNs = head.timeNs;
  }
  return best;
}

/** Wakes whoever waits for something to change. */
class Bell {
  readonly #clock: Clock;
  #wake = (): void => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  readonly ring = (): void => this.#wake();

  async rung(atMostMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = Number.isFinite(atMostMs) ? this.#clock.after(atMostMs, resolve) : undefined;
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
    });
    this.#wake = () => undefined;
  }
}

/** Through which streams come; undefined when it closes. */
function openDoor(
  joining: MergeOptions['joining'],
  enter: (stream: Rows | undefined) => void,
): { readonly isOpen: boolean } {
  const door = { isOpen: joining !== undefined };
  const keep = async () => {
    // Who cannot be let in any more is missed by nobody who is inside.
    if (joining === undefined) return;
    try {
      for await (const stream of joining) enter(stream);
    } finally {
      door.isOpen = false;
      enter(undefined);
    }
  };
  keep().catch(() => undefined);
  return door;
}
