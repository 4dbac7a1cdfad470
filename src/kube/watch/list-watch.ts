/**
 * One collection of one API server, followed for ever: list in pages, then watch from the list's resourceVersion, and
 * begin again where the server no longer remembers (410) or where we can no longer trust what we heard (a line that is
 * not an event, a version older than one we have seen). What must stay true: no event is dropped without a relist, a
 * failure never empties what is known, and nothing runs after `close`. A list that says that everything has gone is
 * asked for a second time, of etcd itself, and believed then. Deliberately absent: a cache (the caller's), streaming lists (sendInitialEvents), protobuf.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { errorCode } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { KubeAnswerError } from '../answer-error.ts';
import type { KubeClient } from '../client.ts';
import { type Conversion, convertNamed, type NamedRow } from '../convert/conversion.ts';
import { createBackoff } from './backoff.ts';
import { createLineLimit } from './line-limit.ts';
import { type ListPages, listAll } from './list-pages.ts';
import type { OutageLog } from './outage-log.ts';
import { pause } from './pause.ts';
import { watchOnce } from './watch-once.ts';

const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 30_000;
/** A kind that does not exist yet costs one small request per node; five seconds is how long a new one may go unseen. */
const MISSING_RETRY_MS = 5_000;
/** So many refusals one after the other, half a minute of them, before a collection that may go is believed to be gone. */
const GONE_AFTER = 6;

export interface ListWatchStats {
  /** Completed lists. */
  readonly lists: number;
  /** Watches that were accepted. */
  readonly watches: number;
  readonly events: number;
  /** Watch lines that were no event: each caused a list. */
  readonly badLines: number;
  /** Objects that could not be converted. */
  readonly badObjects: number;
  /** The last attempt failed. */
  readonly failing: boolean;
  /** The server does not know the collection (404). */
  readonly missing: boolean;
}

export interface ListWatchSpec<Row> {
  /** Plural with its group, for log lines: `ciliumlocalredirectpolicies.cilium.io`. */
  readonly resource: string;
  /** `/api/v1/pods`. */
  readonly path: string;
  /** As objects say it of themselves (`Pod`); absent: not looked at. */
  readonly kind?: string;
  readonly convert: (object: unknown) => Conversion<Row>;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly client: KubeClient;
  readonly log: Log;
  /** Shared by all collections of one server. */
  readonly outages: OutageLog;
  readonly clock: Clock;
  readonly random: () => number;
  /** The row that is in force, so that a list can tell what is new in it. */
  readonly known?: (key: ObjectKey) => Row | undefined;
  /** A complete list; the map is the receiver's. */
  readonly onList: (rows: ReadonlyMap<ObjectKey, Row>) => void;
  /** One change; undefined means the object has gone or is of no interest any more. */
  readonly onRow: (key: ObjectKey, row: Row | undefined) => void;
  readonly onMissing: (missing: boolean) => void;
  /**
   * True when the server itself says that we may not have the collection or that there is none (403, 404), for a list or a watch:
   * what is known of it then comes from before, and nobody will tell of changes. An outage says nothing of the kind.
   */
  readonly onRefused?: (refused: boolean) => void;
  /** Silence after which a watch is given up, in milliseconds. */
  readonly stallMs?: number;
  /**
   * A custom resource: its definition can be taken away, and its objects with it. One that the server goes on not knowing
   * then counts as an empty list. Else what is known stays in force.
   */
  readonly mayGo?: boolean;
  /** List from the server's cache: for a field selector that leaves little of a big collection. */
  readonly fromCache?: boolean;
  /** Milliseconds until the next list, given the number of rows; then nothing is watched. */
  readonly pollMs?: (rows: number) => number;
}

export interface ListWatch {
  stats(): ListWatchStats;
  close(): void;
}

/** Counters while they grow; `stats()` hands out copies. */
export type Tally = { -readonly [K in keyof ListWatchStats]: ListWatchStats[K] };

export function startListWatch<Row>(spec: ListWatchSpec<Row>): ListWatch {
  const abort = new AbortController();
  const tally: Tally = {
    lists: 0,
    watches: 0,
    events: 0,
    badLines: 0,
    badObjects: 0,
    failing: false,
    missing: false,
  };
  follow(spec, tally, abort.signal).catch((error: unknown) => {
    // Only a bug of ours gets here; the kind goes stale, which must be seen.
    tally.failing = true;
    spec.log.error(
      `watch of ${spec.resource} stopped: ${error instanceof Error ? error.stack : String(error)}`,
    );
  });
  return { stats: () => ({ ...tally }), close: () => abort.abort() };
}

/** What is remembered from one list or watch to the next. */
interface Position {
  /** Where a watch goes on; undefined asks for a list. */
  next: string | undefined;
  /** The newest version seen; undefined before the first, and when the server has gone back behind it. */
  seen: string | undefined;
  /** Rows of the last list. */
  rows: number;
  /** A consistent read is due: what the cache says has been wrong. */
  doubt: boolean;
  /** How often in a row the server has not known the collection. */
  unknown: number;
  refused: boolean;
}

async function follow<Row>(spec: ListWatchSpec<Row>, tally: Tally, signal: AbortSignal): Promise<void> {
  const backoff = createBackoff({ firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS, random: spec.random });
  const skipped = { ...spec, log: createLineLimit(spec.log, spec.clock) };
  const convert = (object: unknown) => convertNamed(skipped, tally, object);
  const at: Position = {
    next: undefined,
    seen: undefined,
    rows: 0,
    doubt: false,
    unknown: 0,
    refused: false,
  };
  const noteRefused = (refused: boolean): void => {
    if (at.refused === refused) return;
    at.refused = refused;
    spec.onRefused?.(refused);
  };
  const onOpen = (): void => {
    tally.watches++;
    noteSuccess(spec, tally);
    noteRefused(false);
  };
  while (!signal.aborted) {
    try {
      if (at.next === undefined) {
        const list = await listTwiceIfEmpty({ ...spec, signal }, { convert, at, waitMs: backoff.nextMs });
        if (signal.aborted) return;
        tally.lists++;
        Object.assign(at, { next: list.resourceVersion, seen: list.resourceVersion });
        Object.assign(at, { rows: list.rows.size, doubt: false, unknown: 0 });
        noteSuccess(spec, tally);
        spec.onList(list.rows);
        if (spec.pollMs !== undefined) noteRefused(false);
      }
      if (spec.pollMs !== undefined) {
        backoff.reset();
        at.next = undefined;
        await pause(spec.clock, spec.pollMs(at.rows) * (0.75 + spec.random() / 2), signal);
        continue;
      }
      const resourceVersion: string = at.next ?? '';
      const end = await watchOnce({ ...spec, signal, resourceVersion }, { convert, tally, onOpen });
      if (signal.aborted) return;
      Object.assign(at, { next: end.resourceVersion, seen: end.seen, doubt: end.wentBack });
      if (end.lasted) backoff.reset();
      if (end.silent) spec.log.debug(`watch of ${spec.resource}: ${end.problem ?? ''}`);
      else if (end.problem !== undefined) spec.outages.broke(spec.resource, end.problem);
      const orderly = end.problem === undefined || end.silent;
      if (!orderly || !end.lasted) await pause(spec.clock, backoff.nextMs(), signal);
    } catch (error) {
      if (signal.aborted) return;
      const waitMs = noteFailure(spec, tally, error) ?? backoff.nextMs();
      if (isRefusal(error)) noteRefused(true);
      at.unknown = errorCode(error) === 'KUBE_NOT_FOUND' ? at.unknown + 1 : 0;
      if (at.unknown === GONE_AFTER && spec.mayGo === true) forgetAll(spec, at);
      await pause(spec.clock, waitMs, signal);
    }
  }
}

/** Not 401: who we are is not known then, and what we may is not said. */
function isRefusal(error: unknown): boolean {
  return error instanceof KubeAnswerError && (error.status === 403 || error.status === 404);
}

/** Also of a collection that was never listed: what an agent before this one made of it is then taken back. */
function forgetAll<Row>(spec: ListWatchSpec<Row>, at: Position): void {
  Object.assign(at, { next: undefined, seen: undefined, rows: 0 });
  spec.log.info(`${spec.resource} is still not known to the API server: there are none`);
  spec.onList(new Map());
}

interface ListTools<Row> {
  readonly convert: (object: unknown) => NamedRow<Row> | undefined;
  readonly at: Position;
  readonly waitMs: () => number;
}

/**
 * A server that has just started, or a cache in front of it, may say 200 to an empty list before it knows better. The
 * usual clients believe it; for us it would empty the kernel's tables of a whole cluster at once.
 */
async function listTwiceIfEmpty<Row>(
  spec: ListWatchSpec<Row> & { readonly signal: AbortSignal },
  { convert, at, waitMs }: ListTools<Row>,
): Promise<ListPages<Row>> {
  const fromCache = spec.fromCache === true && !at.doubt;
  const list = await listAll(spec, convert, fromCache ? { cachedSince: at.seen ?? '0' } : {});
  if (list.rows.size > 0 || at.rows === 0) return list;
  spec.log.info(`${spec.resource}: none of ${at.rows} is listed any more; asking again before believing it`);
  await pause(spec.clock, waitMs(), spec.signal);
  return listAll(spec, convert);
}

type Noted = Pick<ListWatchSpec<never>, 'log' | 'outages' | 'resource' | 'onMissing' | 'random'>;

function noteSuccess(spec: Noted, tally: Tally): void {
  tally.failing = false;
  spec.outages.works(spec.resource);
  if (!tally.missing) return;
  tally.missing = false;
  spec.log.info(`${spec.resource} is known to the API server now`);
  spec.onMissing(false);
}

/** Returns how long to wait, in milliseconds, when the failure itself says so. */
function noteFailure(spec: Noted, tally: Tally, error: unknown): number | undefined {
  tally.failing = true;
  if (errorCode(error) !== 'KUBE_NOT_FOUND') {
    spec.outages.failed(spec.resource, error);
    const askedSeconds = error instanceof KubeAnswerError ? error.retryAfterSeconds : undefined;
    // Spread upwards: all who were refused in the same moment were told the same number.
    const spread = 1 + spec.random() / 4;
    return askedSeconds === undefined ? undefined : Math.min(askedSeconds * 1000, RETRY_MAX_MS) * spread;
  }
  // The server itself is there.
  spec.outages.works(spec.resource);
  if (!tally.missing) {
    tally.missing = true;
    spec.log.info(`${spec.resource} is not known to the API server: asking again every few seconds`);
    spec.onMissing(true);
  }
  return MISSING_RETRY_MS * (0.75 + spec.random() / 2);
}
