/**
 * The flows of one peer for one request, as a relay gives them on: a peer that cannot be reached is told of in the stream
 * instead of ending everybody's; a follower is asked again until it is back, and then gives what it has seen since. What is
 * wrong with the request itself is thrown.
 */
import { AppError, errorText } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse, NodeState } from '../../flow/api.ts';
import { formatTime, parseTime } from '../../flow/time.ts';
import type { Clock } from '../../telemetry/clock.ts';

import type { RelayPeer } from './peer-set.ts';

export interface PeerStreamOptions {
  readonly request: GetFlowsRequest;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Between two attempts of a follower. */
  readonly retryMs: number;
}

/** Ended by its peer's leaving, the request's end or the signal. */
export async function* peerStream(
  peer: RelayPeer,
  options: PeerStreamOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const { signal, clock } = options;
  let { request } = options;
  let isAway = false;
  while (!signal.aborted && !peer.left.aborted) {
    let newest: string | undefined;
    try {
      const either = AbortSignal.any([signal, peer.left]);
      for await (const response of peer.client.flows(request, either)) {
        if (isAway) yield nodeStatus('NODE_CONNECTED', peer.name, clock);
        isAway = false;
        newest = response.time;
        yield response;
      }
      if (request.follow !== true) return;
    } catch (error) {
      if (!isAbsence(error)) throw error;
      if (!isAway) yield nodeStatus('NODE_UNAVAILABLE', peer.name, clock, errorText(error));
      isAway = true;
      if (request.follow !== true) return;
    }
    request = continued(request, newest, clock);
    await pause(options, peer.left);
  }
}

/** Ours to say, about one node. */
export function nodeStatus(state: NodeState, name: string, clock: Clock, message?: string): GetFlowsResponse {
  return {
    node_status: {
      state_change: state,
      node_names: [name],
      ...(message === undefined ? {} : { message }),
    },
    node_name: name,
    time: formatTime(BigInt(Math.round(clock.nowMs())) * 1_000_000n),
  };
}

function isAbsence(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'HUBBLE_UNREACHABLE' || error.code === 'HUBBLE_BUSY');
}

/** What came after the newest that was seen; of a peer that never said anything, what comes from now on. */
function continued(request: GetFlowsRequest, newest: string | undefined, clock: Clock): GetFlowsRequest {
  const { number: _, ...rest } = request;
  const seenNs = newest === undefined ? undefined : parseTime(newest);
  if (seenNs !== undefined) return { ...rest, since: formatTime(seenNs + 1n) };
  if (rest.since !== undefined) return rest;
  return { ...rest, since: formatTime(BigInt(Math.round(clock.nowMs())) * 1_000_000n) };
}

function pause({ clock, signal, retryMs }: PeerStreamOptions, left: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      left.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.after(retryMs, done);
    signal.addEventListener('abort', done);
    left.addEventListener('abort', done);
  });
}
