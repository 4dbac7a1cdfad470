/**
 * Answers one GetFlowsRequest from the log of flows (spec hubble 6.4): newest N that match, first N, since/until, follow. Bad
 * requests are refused before anything is sent. A follower that was overtaken gets one lost_events row with the count of
 * what it missed, at most once a second, and goes on with the oldest row there is.
 */
import { fail, ok, type Result } from '../fault/result.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { GetFlowsRequest, GetFlowsResponse } from './api.ts';
import { compileFilters } from './filter/compile-filters.ts';
import type { FlowPredicate } from './filter/field-compiler.ts';
import { compileGlance, type GlanceFilter } from './filter/glance.ts';
import type { NarrowOptions } from './filter/narrow.ts';
import type { FlowLog, FlowRow } from './flow-log.ts';
import { createSample } from './sample.ts';
import { formatTime, parseTime } from './time.ts';
import type { Turns } from './turns.ts';

export interface FlowQuery {
  readonly matches: FlowPredicate;
  readonly follow: boolean;
  readonly first: boolean;
  /** Zero means not given. */
  readonly number: number;
  readonly sinceNs?: bigint;
  /** Never together with `follow`. */
  readonly untilNs?: bigint;
  /** By the time of a packet's query, before its flows are put together; absent: every packet. */
  readonly isSampled?: (askedNs: bigint) => boolean;
  /** Absent: any packet may have flows that match. */
  readonly isPossible?: GlanceFilter;
}

/** Hubble's own default when a request gives no bound at all is everything; the CLI asks for 20 itself. */
export function parseFlowsRequest(
  request: GetFlowsRequest,
  narrowing: NarrowOptions = {},
): Result<FlowQuery> {
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
  const oneIn = request.narrow?.one_in;
  const matches = compileFilters(request, narrowing);
  if (!matches.ok) return matches;
  const isPossible = compileGlance(request.whitelist);
  return ok({
    matches: matches.value,
    follow,
    first,
    number: count,
    ...(sinceNs === undefined ? {} : { sinceNs }),
    ...(untilNs === undefined || follow ? {} : { untilNs }),
    ...(oneIn === undefined ? {} : { isSampled: createSample(oneIn) }),
    ...(isPossible === undefined ? {} : { isPossible }),
  });
}

function bad(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_REQUEST_INVALID', undefined, reason);
}

export interface ReadOptions {
  readonly log: FlowLog;
  readonly query: FlowQuery;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Shared by all readers of the process. */
  readonly turns: Turns;
  /** Whose turns they are: what one client reads counts together. */
  readonly client?: string;
}

/** Ends when the request is satisfied or the signal is raised; following, only by the signal. */
export async function* readFlows(options: ReadOptions): AsyncGenerator<GetFlowsResponse, void, void> {
  const { log, query, signal, turns, client } = options;
  const losses = createLosses(options);
  // Taken once and at once: without follow, what arrives while we are sending is not part of the answer; with it, all is.
  const now = log.next;
  const end = query.follow ? Number.POSITIVE_INFINITY : now;
  const limit = limitOf(query);
  const start = await startOf(now, options);
  let turn = await turns.take(client);
  let [skip, sent] = [start.skip, 0];
  for (let cursor = start.sequence ?? log.oldest; !signal.aborted && cursor < end && sent < limit; ) {
    if (turn.isOver) turn = await turns.take(client);
    if (cursor >= log.next) {
      turn.end();
      await nextRow(log, signal);
      turn = await turns.take(client);
      continue;
    }
    cursor = losses.overtaken(cursor, end);
    const lost = losses.due();
    if (lost !== undefined) yield lost;
    if (cursor >= end) break;
    const row = rowAskedFor(log, cursor++, query);
    if (row === undefined || !inWindow(row.timeNs, query)) continue;
    for (const response of row.responses) {
      if (response.flow !== undefined) {
        if (!query.matches(response.flow)) continue;
        if (skip > 0) {
          skip--;
          continue;
        }
        if (sent++ >= limit) break;
      }
      yield response;
    }
  }
  const untold = signal.aborted ? undefined : losses.rest();
  if (untold !== undefined) yield untold;
}

/** Counted from where it begins: by `first`, or by `since`. Of the newest N the beginning is counted (`startOf`). */
function limitOf({ number, first, follow, sinceNs }: FlowQuery): number {
  const isCounted = number > 0 && !follow && (first || sinceNs !== undefined);
  return isCounted ? number : Number.POSITIVE_INFINITY;
}

/** Nothing where a look at the packet says that its flows are not asked for; rows that tell of losses always are. */
function rowAskedFor(log: FlowLog, sequence: number, query: FlowQuery): FlowRow | undefined {
  const glance = isLookedAtFirst(query) ? log.glance(sequence) : undefined;
  if (glance === undefined) return log.row(sequence);
  if (!inWindow(glance.timeNs, query)) return undefined;
  if (query.isSampled?.(glance.askedNs) === false) return undefined;
  return query.isPossible?.(glance) === false ? undefined : log.row(sequence);
}

/** Whoever asks for all need not look twice. */
function isLookedAtFirst({ isSampled, isPossible, sinceNs, untilNs }: FlowQuery): boolean {
  return (isSampled ?? isPossible ?? sinceNs ?? untilNs) !== undefined;
}

function inWindow(timeNs: bigint, query: FlowQuery): boolean {
  if (query.sinceNs !== undefined && timeNs < query.sinceNs) return false;
  return query.untilNs === undefined || timeNs <= query.untilNs;
}

/** Where to begin: a row, and how many of the flows in it that match to leave out. */
interface Start {
  /** Absent: the oldest there is when reading begins. What went before was never asked for. */
  readonly sequence?: number;
  readonly skip: number;
}

/** The stock client's `--all` is the largest of 64 bits: no log holds as many, so nothing needs to be counted. */
const ALL = 2 ** 32;

/** `since` beats `number` (spec hubble 6.4): where to begin the window decides, and what is counted is counted from there. */
async function startOf(now: number, { log, query, signal, turns, client }: ReadOptions): Promise<Start> {
  if (query.first || query.sinceNs !== undefined || query.number >= ALL) return { skip: 0 };
  if (query.number === 0) return query.follow ? { sequence: now, skip: 0 } : { skip: 0 };
  let turn = await turns.take(client);
  let [sequence, found] = [now, 0];
  while (found < query.number && sequence > log.oldest && !signal.aborted) {
    if (turn.isOver) turn = await turns.take(client);
    sequence--;
    found += countMatches(rowAskedFor(log, sequence, query), query);
  }
  turn.end();
  return { sequence, skip: Math.max(0, found - query.number) };
}

function countMatches(row: FlowRow | undefined, query: FlowQuery): number {
  if (row === undefined || !inWindow(row.timeNs, query)) return 0;
  return row.responses.filter(({ flow }) => flow !== undefined && query.matches(flow)).length;
}

function nextRow(log: FlowLog, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stop();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const stop = log.onNext(done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}

const LOSS_INTERVAL_MS = 1000;

interface Losses {
  /** Where a reader goes on that wants this row and those behind it, up to `end`. */
  overtaken(cursor: number, end: number): number;
  /** What is to be told now. */
  due(): GetFlowsResponse | undefined;
  /** What is still to be told when the reader ends. */
  rest(): GetFlowsResponse | undefined;
}

/** Sums what a reader missed of what it asked for and lets it out at most once a second. */
function createLosses({ log, query, clock, nodeName }: ReadOptions): Losses {
  let missed = 0;
  let toldAtMs = Number.NEGATIVE_INFINITY;
  const rest = (): GetFlowsResponse | undefined => {
    if (missed === 0) return undefined;
    toldAtMs = clock.monotonicMs();
    const lost = { source: 'HUBBLE_RING_BUFFER', num_events_lost: String(missed) } as const;
    missed = 0;
    const time = formatTime(BigInt(Math.round(clock.nowMs())) * 1_000_000n);
    return { lost_events: lost, node_name: nodeName, time };
  };
  return {
    overtaken(cursor, end) {
      const { oldest } = log;
      if (cursor >= oldest) return cursor;
      const next = Math.min(oldest, end);
      if (!isBeforeSince(log.row(oldest), query)) missed += next - cursor;
      return next;
    },
    due() {
      if (missed === 0 || clock.monotonicMs() - toldAtMs < LOSS_INTERVAL_MS) return undefined;
      return rest();
    },
    rest,
  };
}

/** Then so was all that went before it. */
function isBeforeSince(row: FlowRow | undefined, { sinceNs }: FlowQuery): boolean {
  return row !== undefined && sinceNs !== undefined && row.timeNs < sinceNs;
}
