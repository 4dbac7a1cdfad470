/**
 * Many nodes as one observer (spec hubble 7.2): flows in the order of time, counts summed up, a node that is away told of and
 * waited for by nobody. Unlike Hubble's relay it counts: of `number` flows asked for it gives so many in all, not per node.
 */
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { ObservedNamespace, ObservedNode, ObserverSource, ObserverStatus } from '../observer-source.ts';
import { mergeByTime } from './merge-by-time.ts';
import type { PeerSet, RelayPeer } from './peer-set.ts';
import { nodeStatus, peerStream } from './peer-stream.ts';

export interface RelayOptions {
  readonly peers: PeerSet;
  readonly version: string;
  readonly clock: Clock;
  /** How long a follower's flow waits for those of nodes that are silent, in milliseconds. Default: 300. */
  readonly windowMs?: number;
  /** Default: 2000. */
  readonly retryMs?: number;
}

const WINDOW_MS = 300;
const RETRY_MS = 2000;
/** A node that does not answer by then is unavailable, in milliseconds. */
const ANSWER_MS = 3000;

export function createRelaySource(options: RelayOptions): ObserverSource {
  const { peers, clock, version } = options;
  const asked = async <T>(ask: (peer: RelayPeer) => Promise<T>) =>
    Promise.all(peers.list().map(async (peer) => ({ peer, answer: await inTime(ask(peer), clock) })));
  return {
    flows: (request, signal) => relayFlows(request, signal, options),
    async status(): Promise<ObserverStatus> {
      const answers = await asked(({ client }) => client.status());
      const there = answers.flatMap(({ answer }) => answer ?? []);
      const away = answers.filter(({ answer }) => answer === undefined).map(({ peer }) => peer.name);
      const sum = (of: (status: ObserverStatus) => number) =>
        there.reduce((total, each) => total + of(each), 0);
      return {
        numFlows: sum(({ numFlows }) => numFlows),
        maxFlows: sum(({ maxFlows }) => maxFlows),
        seenFlows: sum(({ seenFlows }) => seenFlows),
        uptimeNs: longest(there),
        version,
        flowsRate: sum(({ flowsRate }) => flowsRate),
        connectedNodes: there.length,
        unavailableNodes: away,
      };
    },
    async nodes(): Promise<readonly ObservedNode[]> {
      const answers = await asked(({ client }) => client.status());
      return answers.map(({ peer, answer }) => observedNode(peer, answer));
    },
    async namespaces(): Promise<readonly ObservedNamespace[]> {
      const answers = await asked(({ client }) => client.namespaces());
      const all = new Map(
        answers
          .flatMap(({ answer }) => answer ?? [])
          .map((each) => [`${each.cluster}/${each.namespace}`, each]),
      );
      return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
    },
  };
}

/** Of the longest living node (spec hubble 6.2). */
function longest(statuses: readonly ObserverStatus[]): bigint {
  const [first = 0n] = statuses.map(({ uptimeNs }) => uptimeNs).sort((a, b) => (a > b ? -1 : 1));
  return first;
}

function observedNode(peer: RelayPeer, status: ObserverStatus | undefined): ObservedNode {
  const { name, address, tlsServerName } = peer;
  return {
    ...{ name, address, version: status?.version ?? '' },
    state: status === undefined ? 'NODE_UNAVAILABLE' : 'NODE_CONNECTED',
    ...(tlsServerName === undefined ? {} : { tls: { enabled: true, serverName: tlsServerName } }),
    uptimeNs: status?.uptimeNs ?? 0n,
    numFlows: status?.numFlows ?? 0,
    maxFlows: status?.maxFlows ?? 0,
    seenFlows: status?.seenFlows ?? 0,
  };
}

/** Undefined for a peer that fails or takes too long. */
async function inTime<T>(answer: Promise<T>, clock: Clock): Promise<T | undefined> {
  const late = new Promise<undefined>((resolve) => clock.after(ANSWER_MS, () => resolve(undefined)));
  return Promise.race([answer.catch(() => undefined), late]);
}

async function* relayFlows(
  request: GetFlowsRequest,
  signal: AbortSignal,
  { peers, clock, windowMs = WINDOW_MS, retryMs = RETRY_MS }: RelayOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const follow = request.follow === true;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const streamOf = (peer: RelayPeer, own: GetFlowsRequest = request) =>
    peerStream(peer, { request: own, signal: either, clock, retryMs });
  const streams = peers.list().map((peer) => streamOf(peer));
  try {
    if (!follow) {
      yield* counted(mergeByTime(streams, { clock, windowMs: Number.POSITIVE_INFINITY }), request);
      return;
    }
    // Of one that comes later nothing is old.
    const { number: _, ...fresh } = request;
    const joining = mapped(peers.coming(either), (peer) => withWelcome(peer, streamOf(peer, fresh), clock));
    yield* mergeByTime(streams, { clock, windowMs, joining });
  } finally {
    stop.abort();
  }
}

async function* withWelcome(
  peer: RelayPeer,
  stream: AsyncIterable<GetFlowsResponse, void, void>,
  clock: Clock,
): AsyncGenerator<GetFlowsResponse, void, void> {
  yield nodeStatus('NODE_CONNECTED', peer.name, clock);
  yield* stream;
}

async function* mapped<A, B>(
  source: AsyncIterable<A>,
  change: (value: A) => B,
): AsyncGenerator<B, void, void> {
  for await (const value of source) yield change(value);
}

/** Each node gave its own newest or oldest N; N in all were asked for. Nodes' states and losses go with them. */
async function* counted(
  merged: AsyncIterable<GetFlowsResponse>,
  { number = 0, first, since }: GetFlowsRequest,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const most = Number(number);
  if (most === 0 || (since !== undefined && first !== true)) {
    yield* merged;
    return;
  }
  if (first === true) {
    let given = 0;
    for await (const response of merged) {
      if (response.flow !== undefined && given++ >= most) return;
      yield response;
    }
    return;
  }
  const newest: GetFlowsResponse[] = [];
  for await (const response of merged) {
    if (response.flow === undefined) yield response;
    else if (newest.push(response) > 2 * most) newest.splice(0, newest.length - most);
  }
  yield* newest.slice(-most);
}
