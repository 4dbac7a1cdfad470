/**
 * What agents still know of the last minutes, summed up for each of their nodes. The responses of all go into one pair of
 * hands, because a query that one node saw leave arrived on another. An agent that takes too long costs its own summary.
 */
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { dnsPicture } from '../picture/dns-picture.ts';
import type { FlowSummary } from '../site/agent-facts.ts';
import { createFlowSummaries } from '../site/flow-summary/flow-summary.ts';
import { searchList } from '../site/flow-summary/search-misses.ts';
import { isKnown, type Known, known } from '../site/known.ts';
import type { Site } from '../site/site.ts';
import { within } from './deadline.ts';

/** The flows of one node. */
export interface NodeFlows {
  readonly node: string;
  flows(request: GetFlowsRequest, signal: AbortSignal): AsyncIterable<GetFlowsResponse>;
}

export interface SumFlowsOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Pods that serve DNS, `namespace/name`. */
  readonly servers: readonly string[];
  readonly domain: string;
}

const WINDOW_MS = 10 * 60_000;
/** Messages and arrivals together; of a node with a thousand queries a second that is the last second or two. */
const MOST_FLOWS = 5_000;

/** By node, of every source that there is. */
export async function sumFlows(
  sources: readonly NodeFlows[],
  { clock, timeoutMs, servers, domain }: SumFlowsOptions,
): Promise<ReadonlyMap<string, Known<FlowSummary>>> {
  const nowMs = clock.nowMs();
  const all = createFlowSummaries({
    sinceMs: nowMs - WINDOW_MS,
    untilMs: nowMs,
    nowMs,
    servers: new Set(servers),
    searchOf: (pod) => searchList(pod.split('/', 1)[0] ?? '', domain, []),
  });
  const outcomes = await Promise.all(
    sources.map(async ({ node, flows }) => {
      let firstMs = nowMs;
      const heard = await within(clock, timeoutMs, async (signal) => {
        for await (const response of flows(NEWEST, signal)) {
          if (signal.aborted) return;
          if (Date.parse(response.time) < nowMs - WINDOW_MS) continue;
          // A busy log does not go back as far as was asked for.
          firstMs = Math.min(firstMs, Date.parse(response.time) || nowMs);
          all.add(response);
        }
      });
      return { node, heard, firstMs };
    }),
  );
  const summaries = all.summaries();
  return new Map(
    outcomes.map(({ node, heard, firstMs }) => [
      node,
      isKnown(heard) ? known({ ...(summaries.get(node) ?? all.empty()), sinceMs: firstMs }) : heard,
    ]),
  );
}

export function dnsServerPods(site: Pick<Site, 'cluster'>): readonly string[] {
  return dnsPicture(site).servers.flatMap(({ pods }) =>
    pods.map(({ namespace, name }) => `${namespace}/${name}`),
  );
}

/**
 * Messages, and where packets arrive at and leave the pods that serve. Not from a time on: a count means nothing beside one
 * (spec hubble 6.4), and a full log would be put together whole.
 */
const NEWEST: GetFlowsRequest = {
  number: MOST_FLOWS,
  whitelist: [
    {
      event_type: [
        { type: 129 },
        { type: 4, match_sub_type: true, sub_type: 0 },
        { type: 4, match_sub_type: true, sub_type: 5 },
      ],
    },
  ],
};
