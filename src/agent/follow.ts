/**
 * Following several agents at once outlives each of them: one that ends is told of, asked again until it is back, and
 * then gives what it has seen since. The follower itself ends only when no agent is left, or with its signal.
 */
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import { formatTime, parseTime } from '../flow/time.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { DiscoveredAgent } from './discover.ts';

export interface FollowOptions {
  readonly request: GetFlowsRequest;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Called with the node's name. */
  readonly onGone: (node: string) => void;
  readonly onBack: (node: string) => void;
}

type Flows = AsyncGenerator<GetFlowsResponse, void, void>;

const RETRY_MS = 500;

/** One stream per agent, in their order. What is no absence (a refusal, a lack of rights) is thrown as it is. */
export function followAgents(agents: readonly DiscoveredAgent[], options: FollowOptions): readonly Flows[] {
  const present = new Set(agents);
  return agents.map((agent) => followAgent(agent, present, options));
}

async function* followAgent(
  agent: DiscoveredAgent,
  present: Set<DiscoveredAgent>,
  options: FollowOptions,
): Flows {
  const { signal, clock, onGone, onBack } = options;
  let request = options.request;
  while (!signal.aborted) {
    let newest: string | undefined;
    try {
      for await (const response of agent.client.flows(request, signal)) {
        newest = response.time;
        yield response;
      }
      return;
    } catch (error) {
      if (!isAbsence(error)) throw error;
      present.delete(agent);
      if (present.size === 0) throw error;
      onGone(agent.node);
    }
    request = continued(request, newest, clock);
    await untilBack(agent, options);
    present.add(agent);
    if (!signal.aborted) onBack(agent.node);
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof AppError && error.code === 'AGENT_NOT_RUNNING';
}

/** What came after the newest that was seen; of an agent that never said anything, what comes from now on. */
function continued(request: GetFlowsRequest, newest: string | undefined, clock: Clock): GetFlowsRequest {
  const { number: _, ...rest } = request;
  const seenNs = newest === undefined ? undefined : parseTime(newest);
  if (seenNs !== undefined) return { ...rest, since: formatTime(seenNs + 1n) };
  if (rest.since !== undefined) return rest;
  return { ...rest, since: formatTime(BigInt(Math.round(clock.nowMs())) * 1_000_000n) };
}

async function untilBack({ client }: DiscoveredAgent, { signal, clock }: FollowOptions): Promise<void> {
  for (let back = false; !back && !signal.aborted; ) {
    await pause(clock, signal);
    back = await client.status().then(
      () => true,
      () => false,
    );
  }
}

function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(RETRY_MS, done);
    signal.addEventListener('abort', done);
  });
}
