/**
 * Answers one GetFlowsRequest from the ring (spec hubble 6.4): newest N that match, first N, since/until, follow. Bad
 * requests are refused before anything is sent. A follower that was overtaken gets one lost_events row with the count of
 * what it missed, at most once a second, and goes on with the oldest entry there is.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { GetFlowsRequest, GetFlowsResponse } from './api.ts';
import { compileFilters, type FlowPredicate } from './filter.ts';
import type { FlowRing } from './ring.ts';
import { formatTime, parseTime } from './time.ts';

export interface FlowQuery {
  readonly matches: FlowPredicate;
  readonly follow: boolean;
  readonly first: boolean;
  /** Zero means not given. */
  readonly number: number;
  readonly sinceNs?: bigint;
  /** Never together with `follow`. */
  readonly untilNs?: bigint;
}

/** Hubble's own default when a request gives no bound at all is everything; the CLI asks for 20 itself. */
export function parseFlowsRequest(request: GetFlowsRequest): Result<FlowQuery> {
  const { number = 0, follow = false, first = false } = request;
  const count = typeof number === 'string' && /^\d{1,20}$/.test(number) ? Number(number) : number;
  if (typeof count !== 'number' || !(count >= 0))
    return bad(`number is not a count: received ${String(number)}`);
  if (typeof follow !== 'boolean' || typeof first !== 'boolean')
    return bad('follow and first are true or false');
  if (first && follow) return bad('first cannot be combined with follow');
  const sinceNs = request.since === undefined ? undefined : parseTime(String(request.since));
  const untilNs = request.until === undefined ? undefined : parseTime(String(request.until));
  if (request.since !== undefined && sinceNs === undefined) return bad('since is not an RFC 3339 time');
  if (request.until !== undefined && untilNs === undefined) return bad('until is not an RFC 3339 time');
  const matches = compileFilters(request);
  if (!matches.ok) return matches;
  return ok({
    matches: matches.value,
    follow,
    first,
    number: count,
    ...(sinceNs === undefined ? {} : { sinceNs }),
    ...(untilNs === undefined || follow ? {} : { untilNs }),
  });
}

function bad(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_REQUEST_INVALID', undefined, reason);
}

export interface ReadOptions {
  readonly ring: FlowRing;
  readonly query: FlowQuery;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Ends when the request is satisfied or the signal is raised; following, only by the signal. */
export async function* readFlows(options: ReadOptions): AsyncGenerator<GetFlowsResponse, void, void> {
  const { ring, query, signal } = options;
  const losses = createLosses(options);
  // Taken once: without follow, what arrives while we are sending is not part of the answer.
  const end = query.follow ? Number.POSITIVE_INFINITY : ring.next;
  const limit = query.first && query.number > 0 ? query.number : Number.POSITIVE_INFINITY;
  let sent = 0;
  for (let cursor = startOf(ring, query); !signal.aborted && cursor < end && sent < limit; ) {
    if (cursor >= ring.next) {
      await nextEntry(ring, signal);
      continue;
    }
    if (cursor < ring.oldest) {
      losses.add(ring.oldest - cursor);
      cursor = ring.oldest;
    }
    const lost = losses.due();
    if (lost !== undefined) yield lost;
    const entry = ring.at(cursor);
    cursor++;
    if (entry === undefined || !inWindow(entry.timeNs, query)) continue;
    if (entry.response.flow !== undefined && !query.matches(entry.response.flow)) continue;
    if (entry.response.flow !== undefined) sent++;
    yield entry.response;
  }
}

function inWindow(timeNs: bigint, query: FlowQuery): boolean {
  if (query.sinceNs !== undefined && timeNs < query.sinceNs) return false;
  return query.untilNs === undefined || timeNs <= query.untilNs;
}

/** `since` beats `number` (spec hubble 6.4): the window then decides, and every entry is looked at. */
function startOf(ring: FlowRing, query: FlowQuery): number {
  if (query.first || query.sinceNs !== undefined) return ring.oldest;
  if (query.number === 0) return query.follow ? ring.next : ring.oldest;
  let start = ring.next;
  for (let left = query.number; left > 0 && start > ring.oldest; start--) {
    const entry = ring.at(start - 1);
    if (entry?.response.flow === undefined || !inWindow(entry.timeNs, query)) continue;
    if (query.matches(entry.response.flow)) left--;
  }
  return start;
}

function nextEntry(ring: FlowRing, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = ring.onNext(done);
    signal.addEventListener('abort', done, { once: true });
  });
}

const LOSS_INTERVAL_MS = 1000;

/** Sums what a reader missed and lets it out at most once a second. */
function createLosses(options: ReadOptions): {
  add(count: number): void;
  due(): GetFlowsResponse | undefined;
} {
  let missed = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return {
    add(count) {
      missed += count;
    },
    due() {
      const nowMs = options.clock.monotonicMs();
      if (missed === 0 || nowMs - toldAtMs < LOSS_INTERVAL_MS) return undefined;
      toldAtMs = nowMs;
      const lost = { source: 'HUBBLE_RING_BUFFER', num_events_lost: String(missed) } as const;
      missed = 0;
      const time = formatTime(BigInt(Math.round(options.clock.nowMs())) * 1_000_000n);
      return { lost_events: lost, node_name: options.nodeName, time };
    },
  };
}
