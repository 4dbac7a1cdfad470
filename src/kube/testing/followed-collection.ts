/**
 * A collection of things behind an API server that plays what a test scripts, followed by the real list-watch over real
 * sockets, with a clock that the test turns. No product code imports it.
 */
import type { ServerResponse } from 'node:http';
import type { ObjectRow } from '../../cluster/rows.ts';
import { createKubeClient } from '../client.ts';
import { objectRow } from '../convert/conversion.ts';
import { type ListWatch, type ListWatchSpec, startListWatch } from '../watch/list-watch.ts';
import { createOutageLog } from '../watch/outage-log.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import {
  createHeardLog,
  type HeardLog,
  type Scene,
  type ScriptedServer,
  startScriptedServer,
  until,
} from './scripted-server.ts';

export function thing(name: string, resourceVersion: number): unknown {
  return { metadata: { name, namespace: 'ns', resourceVersion: String(resourceVersion) } };
}

/** One line of a watch. */
export function event(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

export function sendList(
  res: ServerResponse,
  items: readonly unknown[],
  metadata: object = { resourceVersion: '10' },
): void {
  res.end(JSON.stringify({ kind: 'ThingList', metadata, items }));
}

/** Answers the first list and watch by the first of each scripts, the second by the second; the last one repeats. */
export function sequence(lists: readonly Scene[], watches: readonly Scene[]): Scene {
  let listed = 0;
  let watched = 0;
  return (req, res, url) => {
    const watching = url.searchParams.get('watch') === 'true';
    const scenes = watching ? watches : lists;
    const turn = watching ? watched++ : listed++;
    (scenes[turn] ?? scenes.at(-1))?.(req, res, url);
  };
}

export const listing =
  (...names: readonly string[]): Scene =>
  (_req, res) =>
    sendList(
      res,
      names.map((name) => thing(name, 1)),
    );

/** A watch on which nothing ever comes. */
export const quiet: Scene = (_req, res) => res.flushHeaders();

export type FollowOptions = Pick<
  ListWatchSpec<ObjectRow>,
  'kind' | 'fieldSelector' | 'fromCache' | 'pollMs' | 'mayGo'
>;

export interface Followed {
  readonly server: ScriptedServer;
  readonly clock: ManualClock;
  readonly log: HeardLog;
  readonly state: ReadonlyMap<string, ObjectRow>;
  readonly missing: readonly boolean[];
  readonly watch: ListWatch;
  /** Waits, and turns the clock on in steps too small to matter to anything but retries. */
  see(what: string, condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export async function followCollection(scene: Scene, options: FollowOptions = {}): Promise<Followed> {
  const server = await startScriptedServer(scene);
  const client = createKubeClient({ server: server.endpoint });
  const clock = createManualClock();
  const log = createHeardLog();
  const state = new Map<string, ObjectRow>();
  const missing: boolean[] = [];
  const watch: ListWatch = startListWatch<ObjectRow>({
    resource: 'things',
    path: '/api/v1/things',
    convert: objectRow,
    ...{ client, log, clock, random: () => 0.5, outages: createOutageLog(log) },
    onList: (rows) => {
      state.clear();
      for (const [key, row] of rows) state.set(key, row);
    },
    onRow: (key, row) => {
      if (row === undefined) state.delete(key);
      else state.set(key, row);
    },
    onMissing: (isMissing) => missing.push(isMissing),
    ...options,
  });
  return {
    ...{ server, clock, log, state, missing, watch },
    see: (what, condition) => until(what, condition, () => clock.advance(50)),
    async close() {
      watch.close();
      client.close();
      await server.close();
    },
  };
}
