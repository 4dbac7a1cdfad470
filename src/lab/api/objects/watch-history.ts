/**
 * The last events of one kind, so that a watch may begin in the past. Bounded: a watch that wants to begin before the
 * oldest remembered event must list again (410), exactly as with a real server after compaction.
 */
import type { StoreEvent } from '../api-object.ts';

const HISTORY_MAX = 1000;

export interface WatchHistory {
  add(event: StoreEvent): void;
  /** Events after `version`, oldest first; undefined when some of them have been forgotten. */
  since(version: number): readonly StoreEvent[] | undefined;
}

/** `start` is the store's version when this history began. */
export function createWatchHistory(start: number, max = HISTORY_MAX): WatchHistory {
  const events: StoreEvent[] = [];
  let forgottenUpTo = start;
  return {
    add(event) {
      events.push(event);
      // Cut in halves, so that the cost of shifting is paid once per many events.
      if (events.length < max * 2) return;
      const dropped = events.splice(0, max).at(-1);
      if (dropped !== undefined) forgottenUpTo = versionOf(dropped);
    },
    since(version) {
      if (version < forgottenUpTo) return undefined;
      return events.filter((event) => versionOf(event) > version);
    },
  };
}

function versionOf(event: StoreEvent): number {
  return Number(event.object.metadata.resourceVersion);
}
