/**
 * One watch request, from its start to its end for whatever reason. The server ends it after a few minutes by itself,
 * which is no failure. Silence for longer than bookmarks allow ends it as well, because a half-open connection looks the
 * same; what counts is a whole line, so that a server cannot hold us with a byte now and then.
 *
 * Versions of one watch only grow. An older one than what we have seen says that the server's store was put back to an
 * earlier state (etcd restored from a backup, another server behind the same address): what we hold may never have
 * been, so everything is listed again. The same one is the same event told twice.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ObjectKey, objectKey } from '../../cluster/rows.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import { KubeAnswerError, statusError } from '../answer-error.ts';
import type { KubeClient, Query } from '../client.ts';
import { type NamedRow, objectRow } from '../convert/conversion.ts';
import { excerpt, recordOf, textOf } from '../json-fields.ts';
import { createLineSplitter } from './line-splitter.ts';
import type { Tally } from './list-watch.ts';
import { compareVersions } from './resource-version.ts';

/** etcd refuses objects beyond 1.5 MiB; JSON may be a few times the size of what etcd stores. */
const LINE_MAX_BYTES = 8 * 1024 * 1024;
/** The server is asked to end a watch after 5 to 10 minutes, as other clients do, so that watches spread over servers. */
const WATCH_SECONDS = 300;
/** A watch that ends sooner is not reopened at once: that would be a loop of requests. */
const LASTED_MS = 1_000;
/** Of events that came together, so many milliseconds are worked through before others get their turn. */
const TURN_MS = 2;
/** Bookmarks come about every minute; a server that has had no event of this kind since its start sends none. */
const STALL_MS = 4 * 60_000;
/** Where a bookmark has been seen, further ones may be relied on. */
const BOOKMARK_STALL_MS = 150_000;

export interface WatchOnceSpec<Row> {
  readonly resource: string;
  readonly client: KubeClient;
  readonly path: string;
  readonly kind?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly stallMs?: number;
  readonly onRow: (key: ObjectKey, row: Row | undefined) => void;
}

export interface WatchTools<Row> {
  readonly convert: (object: unknown) => NamedRow<Row> | undefined;
  readonly tally: Tally;
  /** The server has accepted the watch. */
  readonly onOpen: () => void;
}

export interface WatchEnd {
  /** Where the next watch continues; undefined asks for a new list. */
  readonly resourceVersion: string | undefined;
  /** The newest version seen; undefined when the server has gone back behind it. */
  readonly seen: string | undefined;
  /** The server told of a version older than one before. */
  readonly wentBack: boolean;
  /** Nothing came for longer than the server should be silent. */
  readonly silent: boolean;
  /** It lasted long enough that the next one may start at once. */
  readonly lasted: boolean;
  /** One clause for the log; absent when the server ended the watch in its own time. */
  readonly problem: string | undefined;
}

/** Throws `AppError` when the watch is refused, except for 410, which is an end like others. */
export async function watchOnce<Row>(spec: WatchOnceSpec<Row>, tools: WatchTools<Row>): Promise<WatchEnd> {
  const startMs = spec.clock.monotonicMs();
  const reader = createEventReader(spec, tools);
  const guard = guardSilence(spec);
  let open = false;
  const end = (problem: string | undefined): WatchEnd => ({
    resourceVersion: reader.resourceVersion(),
    seen: reader.wentBack() ? undefined : reader.seen(),
    wentBack: reader.wentBack(),
    silent: guard.silent() && reader.problem() === undefined,
    lasted: spec.clock.monotonicMs() - startMs >= LASTED_MS,
    problem: reader.problem() ?? problem,
  });
  try {
    const chunks = await spec.client.stream(spec.path, watchQuery(spec), guard.signal);
    open = true;
    tools.onOpen();
    let turnMs = startMs;
    for await (const chunk of chunks) {
      for (const event of reader.read(chunk)) {
        event();
        guard.rearm(reader.bookmarked());
        if (spec.clock.monotonicMs() - turnMs >= TURN_MS && !spec.signal.aborted) {
          await nextTurn();
          turnMs = spec.clock.monotonicMs();
        }
        if (spec.signal.aborted) break;
      }
      if (reader.problem() !== undefined || spec.signal.aborted) break;
    }
    return end(undefined);
  } catch (error) {
    if (guard.silent()) return end('the server was silent for too long');
    if (open) return end(errorText(error));
    if (!(error instanceof KubeAnswerError) || error.status !== 410) throw error;
    return { ...end('the server no longer remembers our resource version'), resourceVersion: undefined };
  } finally {
    guard.release();
  }
}

interface SilenceGuard {
  /** Aborted on silence, by the caller's signal, and by `release`. */
  readonly signal: AbortSignal;
  /** A whole line came; `bookmarked` when bookmarks do. */
  rearm(bookmarked: boolean): void;
  silent(): boolean;
  /** Frees the timer and, when the stream was left early, its connection. */
  release(): void;
}

function guardSilence(spec: Pick<WatchOnceSpec<unknown>, 'clock' | 'signal' | 'stallMs'>): SilenceGuard {
  const abort = new AbortController();
  const forward = (): void => abort.abort();
  spec.signal.addEventListener('abort', forward);
  let silent = false;
  let timer: Timer | undefined;
  const rearm = (bookmarked: boolean): void => {
    timer?.cancel();
    timer = spec.clock.after(spec.stallMs ?? (bookmarked ? BOOKMARK_STALL_MS : STALL_MS), () => {
      silent = true;
      abort.abort();
    });
  };
  rearm(false);
  return {
    signal: abort.signal,
    rearm,
    silent: () => silent,
    release() {
      timer?.cancel();
      spec.signal.removeEventListener('abort', forward);
      abort.abort();
    },
  };
}

function watchQuery(spec: Omit<WatchOnceSpec<never>, 'onRow'>): Query {
  return {
    watch: true,
    allowWatchBookmarks: true,
    resourceVersion: spec.resourceVersion,
    timeoutSeconds: Math.floor(WATCH_SECONDS * (1 + spec.random())),
    labelSelector: spec.labelSelector,
    fieldSelector: spec.fieldSelector,
  };
}

interface EventReader {
  /** The events that the chunk completes, each to be worked through in its turn. */
  read(chunk: Uint8Array): readonly (() => void)[];
  /** Why reading cannot go on. */
  problem(): string | undefined;
  resourceVersion(): string | undefined;
  seen(): string;
  wentBack(): boolean;
  bookmarked(): boolean;
}

function createEventReader<Row>(spec: WatchOnceSpec<Row>, tools: WatchTools<Row>): EventReader {
  const lines = createLineSplitter(LINE_MAX_BYTES);
  let seen = spec.resourceVersion;
  let problem: string | undefined;
  let mustList = false;
  let wentBack = false;
  let bookmarked = false;

  const relist = (reason: string): void => {
    problem = reason;
    mustList = true;
  };
  const badLine = (reason: string): void => {
    tools.tally.badLines++;
    relist(`${reason}: listing again`);
  };

  function readEvent(line: string): void {
    const event = parseEvent(line);
    if (event === undefined) {
      badLine(`a line is not a watch event: received ${JSON.stringify(line.slice(0, 80))}`);
      return;
    }
    tools.tally.events++;
    if (event.type === 'ERROR') {
      relist(errorText(statusError(`watch ${spec.path}`, event.object)));
      return;
    }
    const { kind, metadata } = recordOf(event.object);
    if (spec.kind !== undefined && kind !== undefined && kind !== spec.kind) {
      badLine(`an event is about something else than ${spec.kind}: received ${excerpt(kind)}`);
      return;
    }
    const version = textOf(recordOf(metadata).resourceVersion) ?? '';
    const order = compareVersions(version, seen);
    if (order !== undefined && order < 0) {
      wentBack = true;
      relist(`the server went back from version ${seen} to ${version}: listing again`);
      return;
    }
    bookmarked ||= event.type === 'BOOKMARK';
    if (event.type !== 'BOOKMARK') apply(event);
    if (version !== '') seen = version;
  }

  function apply(event: WatchEvent): void {
    const named = event.type === 'DELETED' ? namedGone(event.object) : tools.convert(event.object);
    if (named !== undefined) spec.onRow(named.key, named.row);
  }

  return {
    read(chunk) {
      const complete = lines.push(chunk);
      if (complete === undefined) badLine(`a line is longer than ${LINE_MAX_BYTES} bytes`);
      const events = (complete ?? []).filter((line) => line.trim() !== '');
      return events.map((line) => () => {
        if (problem === undefined) readEvent(line);
      });
    },
    problem: () => problem,
    resourceVersion: () => (mustList ? undefined : seen),
    seen: () => seen,
    wentBack: () => wentBack,
    bookmarked: () => bookmarked,
  };
}

const EVENT_TYPES = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const;

interface WatchEvent {
  readonly type: (typeof EVENT_TYPES)[number];
  readonly object: unknown;
}

function parseEvent(line: string): WatchEvent | undefined {
  try {
    const event = recordOf(JSON.parse(line));
    const type = EVENT_TYPES.find((known) => known === event.type);
    return type === undefined ? undefined : { type, object: event.object };
  } catch {
    // Not JSON: the caller counts it and lists again.
    return undefined;
  }
}

function namedGone(object: unknown): NamedRow<never> | undefined {
  const identity = objectRow(object);
  return identity.ok ? { key: objectKey(identity.value), row: undefined } : undefined;
}
