/**
 * One request for flows, asked of every peer. Of `number` flows asked for a relay gives so many in all, not of each node as
 * Hubble's does; a follower gets its history first, counted so, and then what every node has seen since.
 */
import { AppError } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse, NodeState } from '../../flow/api.ts';
import { compileFilters } from '../../flow/filter/compile-filters.ts';
import { newestFlows, oldestFlows } from '../../flow/filter/count-flows.ts';
import { formatTime, parseTime } from '../../flow/time.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { HubbleErrorCode } from '../errors.ts';
import { mergeByTime } from './merge-by-time.ts';
import { NodeNews } from './node-news.ts';
import type { PeerSet, RelayPeer } from './peer-set.ts';
import { peerStream } from './peer-stream.ts';

export interface RelayFlowsOptions {
  readonly peers: PeerSet;
  /** Who tells of nodes. */
  readonly name: string;
  readonly clock: Clock;
  readonly windowMs: number;
  readonly retryMs: number;
  readonly answerMs: number;
  /** Of the relay, for all of its requests. */
  readonly held: HeldRows;
  /** Who asks: what all its requests hold counts together. */
  readonly client: string;
}

/** Throws `AppError` for a request that no peer can serve, and when there is no peer to ask. Ends with the signal. */
export async function* relayFlows(
  request: GetFlowsRequest,
  signal: AbortSignal,
  options: RelayFlowsOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const newest = new Newest(options.clock);
  const troubles: Troubles = new Map();
  const { follow = false, number = 0, ...live } = request;
  const hasHistory = Number(number) > 0 && request.since === undefined;
  if (follow && request.first === true) throw invalid('first cannot be combined with follow');
  checkFilters(request);
  if (!follow || hasHistory) {
    if (options.peers.list().length === 0 && !follow) throw noPeers();
    const { follow: _, ...history } = request;
    yield* counted(
      asked({ requestOf: newest.asking(history), saw: newest.saw, troubles, isLive: false }, signal, options),
      history,
      options,
    );
  }
  if (!follow || signal.aborted) return;
  const requestOf = (peer: RelayPeer) => newest.after({ ...live, follow }, peer);
  yield* asked({ requestOf, troubles, isLive: true }, signal, options);
}

/** By name, what was told of a node last, when that was trouble. */
type Troubles = Map<string, NodeState>;

function telling(news: NodeNews, troubles: Troubles): NodeNews['tell'] {
  return (state, name, message) => {
    if (state === 'NODE_UNAVAILABLE' || state === 'NODE_ERROR') troubles.set(name, state);
    else troubles.delete(name);
    news.tell(state, name, message);
  };
}

interface Question {
  readonly requestOf: (peer: RelayPeer) => GetFlowsRequest;
  readonly saw?: (peer: RelayPeer, response: GetFlowsResponse) => void;
  /** Of the whole request: what was told with its history is not told again. */
  readonly troubles: Troubles;
  /** It has no end, and peers that come are asked, too. */
  readonly isLive: boolean;
}

async function* asked(
  { requestOf, saw, troubles, isLive }: Question,
  outer: AbortSignal,
  { peers, name, clock, windowMs, ...times }: RelayFlowsOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  const news = new NodeNews(name, clock);
  const tell = telling(news, troubles);
  const first = peers.list();
  const refusals = new Refusals(first, () => {
    // It is thrown instead.
    news.close();
    stop.abort();
  });
  const open = (peer: RelayPeer) =>
    peerStream(peer, {
      ...{ request: requestOf(peer), signal, clock, ...times, tell },
      trouble: troubles.get(peer.name),
      refused: (error) => refusals.add(peer, error),
      saw: (response) => saw?.(peer, response),
    });
  const joining = mapped(peers.coming(signal), (peer) => {
    tell('NODE_CONNECTED', peer.name);
    return open(peer);
  });
  try {
    yield* mergeByTime(first.map(open), {
      ...{ clock, aside: news },
      ...(isLive ? { windowMs, joining } : { windowMs: Number.POSITIVE_INFINITY }),
    });
  } finally {
    stop.abort();
    news.close();
  }
  if (!outer.aborted) refusals.throwIfAll();
}

/** What a peer says to be wrong with a request is its own news, and the request's end when all of them say so. */
class Refusals {
  readonly #asked: ReadonlySet<RelayPeer>;
  readonly #all: () => void;
  readonly #errors = new Map<RelayPeer, unknown>();

  constructor(asked: readonly RelayPeer[], all: () => void) {
    this.#asked = new Set(asked);
    this.#all = all;
  }

  add(peer: RelayPeer, error: unknown): void {
    if (this.#asked.has(peer)) this.#errors.set(peer, error);
    if (this.#isAll) this.#all();
  }

  throwIfAll(): void {
    const [first] = this.#errors.values();
    if (this.#isAll) throw first;
  }

  get #isAll(): boolean {
    return this.#errors.size > 0 && this.#errors.size === this.#asked.size;
  }
}

/** Two clocks of a cluster differ by less. */
const CLOCKS_APART_NS = 60_000_000_000n;

/**
 * Where what is followed of a peer begins: after the newest flow that its history had, by the node's own clock; when it had
 * none, at the moment it was asked, so that nothing is left out in between. That may be told early: of what went before none
 * matched. Who was not asked begins now.
 */
class Newest {
  readonly #ns = new Map<string, bigint>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** For the history's question. */
  asking(request: GetFlowsRequest): (peer: RelayPeer) => GetFlowsRequest {
    return ({ name }) => {
      this.#ns.set(name, BigInt(Math.round(this.#clock.nowMs())) * 1_000_000n - CLOCKS_APART_NS);
      return request;
    };
  }

  readonly saw = ({ name }: RelayPeer, { flow, time }: GetFlowsResponse): void => {
    const ns = flow === undefined ? undefined : parseTime(time);
    if (ns !== undefined) this.#ns.set(name, ns);
  };

  after(request: GetFlowsRequest, { name }: RelayPeer): GetFlowsRequest {
    const ns = this.#ns.get(name);
    return ns === undefined ? request : { ...request, since: formatTime(ns + 1n) };
  }
}

/** Here, too: a node that is away cannot refuse, and the others' refusals would be news of nodes. Throws `AppError`. */
function checkFilters(request: GetFlowsRequest): void {
  const filters = compileFilters(request, { cachesOf: () => undefined });
  if (!filters.ok)
    throw new AppError(
      filters.code,
      `Cannot answer the request for flows: ${filters.reason ?? filters.code}`,
    );
}

function invalid(reason: string): AppError {
  const code: HubbleErrorCode = 'HUBBLE_REQUEST_INVALID';
  return new AppError(code, `Cannot answer the request for flows: ${reason}`);
}

function noPeers(): AppError {
  const code: HubbleErrorCode = 'HUBBLE_UNREACHABLE';
  return new AppError(code, 'Cannot answer the request for flows: the relay knows of no node yet', {
    hint: 'Look whether its peer service answers',
  });
}

async function* mapped<A, B>(
  source: AsyncIterable<A>,
  change: (value: A) => B,
): AsyncGenerator<B, void, void> {
  for await (const value of source) yield change(value);
}

/** The newest N of all nodes are held back until all are known. Of more than this many each node's own N are given. */
const MOST_COUNTED = 10_000;
/** About 150 MB of flows. */
const MOST_HELD = 100_000;

/** Who reads slowly, or not at all, must not keep the others from asking. */
const MOST_OF_ONE = 75_000;

/** Room for the rows that all requests of a relay hold back at once: whoever asks for more is told to come back. */
export class HeldRows {
  #left = MOST_HELD;
  readonly #byClient = new Map<string, number>();

  /** Throws `AppError` HUBBLE_BUSY. Give back by `release`. */
  take(count: number, client: string): void {
    const own = (this.#byClient.get(client) ?? 0) + count;
    if (own > MOST_OF_ONE) throw tooMany('this client has too many counted', count);
    if (count > this.#left) throw tooMany('others have too many counted', count);
    this.#left -= count;
    this.#byClient.set(client, own);
  }

  release(count: number, client: string): void {
    this.#left += count;
    const own = (this.#byClient.get(client) ?? 0) - count;
    if (own > 0) this.#byClient.set(client, own);
    else this.#byClient.delete(client);
  }
}

function tooMany(reason: string, count: number): AppError {
  const code: HubbleErrorCode = 'HUBBLE_BUSY';
  return new AppError(code, `Cannot count flows over all nodes: ${reason}: received ${count}`, {
    hint: 'Ask for fewer, or try again later',
  });
}

/** Each node gave its own newest or oldest N; N in all were asked for. Nodes' states and losses go with them. */
async function* counted(
  merged: AsyncIterable<GetFlowsResponse>,
  { number = 0, first, since }: GetFlowsRequest,
  { held, client }: Pick<RelayFlowsOptions, 'held' | 'client'>,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const most = Number(number);
  if (most === 0) yield* merged;
  else if (first === true || since !== undefined) yield* oldestFlows(merged, most);
  else if (most > MOST_COUNTED) yield* merged;
  else {
    held.take(most, client);
    try {
      yield* newestFlows(merged, most);
    } finally {
      held.release(most, client);
    }
  }
}
