/** Follows the flows of both nodes while the story runs, so that every act can look at what just happened. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Flow, GetFlowsResponse } from '../../flow/api.ts';
import { openHubble } from '../../hubble/client.ts';

/** Flows in transit take a few tens of milliseconds; the tap is quiet when nothing has come for this long. */
const QUIET_MS = 300;
/** Somebody else in the lab may be asking all the time. */
const SETTLE_LIMIT_MS = 3_000;

export interface FlowTap {
  /** Starts a new look: what came before is forgotten. */
  mark(): void;
  /** Everything since the mark, once flows in transit have arrived, in the order of time. */
  settled(): Promise<readonly Flow[]>;
  /** Rows the observer had to leave out since the story began. */
  lost(): number;
  close(): void;
}

/** `targets` are the nodes' Hubble APIs. */
export function openFlowTap(targets: readonly string[]): FlowTap {
  const stop = new AbortController();
  let flows: Flow[] = [];
  let lost = 0;
  const take = (response: GetFlowsResponse) => {
    if (response.flow !== undefined) flows.push(response.flow);
    lost += Number(response.lost_events?.num_events_lost ?? 0);
  };
  // What comes while the connection is still being made counts, too.
  const since = new Date().toISOString();
  const clients = targets.map((target) => openHubble(target));
  for (const client of clients) {
    const follow = async () => {
      for await (const response of client.flows({ follow: true, since }, stop.signal)) take(response);
    };
    // An agent that goes away ends its stream; the act that needed it fails by what it does not see.
    follow().catch(() => undefined);
  }
  return {
    mark: () => {
      flows = [];
    },
    async settled() {
      const deadline = performance.now() + SETTLE_LIMIT_MS;
      for (let seen = -1; seen !== flows.length && performance.now() < deadline; ) {
        seen = flows.length;
        await sleep(QUIET_MS);
      }
      return flows.toSorted((a, b) => (a.time < b.time ? -1 : 1));
    },
    lost: () => lost,
    close() {
      stop.abort();
      for (const client of clients) client.close();
    },
  };
}
