/**
 * One watch over HTTP: what happened since a version, then what happens, as lines of JSON, until the time is up, the
 * client goes or the server closes. A client that does not read is cut off before its backlog eats the process.
 */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../../telemetry/clock.ts';
import type { ApiObject, StoreEvent, WatchEventType } from '../api-object.ts';
import type { ObjectStore } from '../object-store.ts';
import { apiVersionOf, type Resource } from '../resources.ts';
import type { Matcher } from './selectors.ts';

const BACKLOG_MAX_BYTES = 16 * 1024 * 1024;
const BOOKMARK_MS = 60_000;
const DEFAULT_TIMEOUT_SECONDS = 1800;

export interface WatchSpec {
  readonly resource: Resource;
  readonly matches: Matcher;
  /** Undefined: tell what exists first, as ADDED. */
  readonly since: number | undefined;
  readonly bookmarks: boolean;
  readonly timeoutSeconds: number | undefined;
  /** Turns an object into what the client asked to see. */
  readonly format: (object: ApiObject) => unknown;
}

/** Throws `ApiRefusal` 410 before anything is sent. Returns the way to end the watch early. */
export function serveWatch(
  spec: WatchSpec,
  { store, clock, res }: { store: ObjectStore; clock: Clock; res: ServerResponse },
): () => void {
  const { kind } = spec.resource;
  const past = spec.since === undefined ? [] : store.eventsSince(kind, spec.since);
  let ended = false;
  const timers = new Set<Timer>();

  const write = (type: WatchEventType | 'BOOKMARK', object: unknown): void => {
    if (ended) return;
    res.write(`${JSON.stringify({ type, object })}\n`);
    if (res.writableLength > BACKLOG_MAX_BYTES) res.destroy();
  };
  const send = (event: StoreEvent): void => {
    const type = visibleType(event, spec.matches);
    if (type === undefined) return;
    write(type, spec.format(event.object));
  };
  const bookmark = (): void => {
    const metadata = { resourceVersion: String(store.version()), creationTimestamp: null };
    const object = { kind, apiVersion: apiVersionOf(spec.resource), metadata };
    if (spec.bookmarks) write('BOOKMARK', object);
  };
  const every = (): void => {
    const timer = clock.after(BOOKMARK_MS, () => {
      timers.delete(timer);
      bookmark();
      if (!ended) every();
    });
    timers.add(timer);
  };
  const release = (): void => {
    ended = true;
    stop();
    for (const timer of timers) timer.cancel();
    timers.clear();
  };
  const end = (): void => {
    if (ended) return;
    bookmark();
    release();
    res.end();
  };

  res.writeHead(200, { 'content-type': 'application/json' });
  res.flushHeaders();
  const stop = store.watch(kind, send);
  if (spec.since === undefined) for (const object of store.list(kind)) send({ type: 'ADDED', object });
  for (const event of past) send(event);
  every();
  timers.add(clock.after((spec.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1000, end));
  res.on('close', release);
  return end;
}

/** An object that enters or leaves the selection appears to come or go. */
function visibleType(event: StoreEvent, matches: Matcher): WatchEventType | undefined {
  const before = event.previous !== undefined && matches(event.previous);
  const after = event.type !== 'DELETED' && matches(event.object);
  if (before && after) return 'MODIFIED';
  if (after) return 'ADDED';
  return before ? 'DELETED' : undefined;
}
