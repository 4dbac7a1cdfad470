/**
 * The flows of one peer for one request, as a relay gives them on: a peer that is away, hangs or makes a mistake is told of
 * instead of ending everybody's stream; a follower asks it again until it is back, and then gets what it has seen since.
 */
import { AppError, errorText } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse, NodeState } from '../../flow/api.ts';
import { formatTime, parseTime } from '../../flow/time.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { HubbleErrorCode } from '../errors.ts';
import type { RelayPeer } from './peer-set.ts';
import { pause } from './watch-peers.ts';

export interface PeerStreamOptions {
  readonly request: GetFlowsRequest;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Between two attempts of a follower. */
  readonly retryMs: number;
  /** One that does not follow is left out when it says nothing for so long while it is waited for. */
  readonly answerMs: number;
  readonly tell: (state: NodeState, name: string, message?: string) => void;
  /** What was told of the peer last, when that was trouble: it is not told again. */
  readonly trouble: NodeState | undefined;
  /** What the peer says to be wrong with the request; it is not asked again then. */
  readonly refused: (error: unknown) => void;
  readonly saw: (response: GetFlowsResponse) => void;
}

/** Ended by its peer's leaving, the request's end or the signal. Throws nothing. */
export async function* peerStream(
  peer: RelayPeer,
  options: PeerStreamOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const { request, signal, clock, retryMs, tell, saw } = options;
  const either = AbortSignal.any([signal, peer.left]);
  const resume = new Resume(request, clock);
  let { trouble } = options;
  const isBack = () => {
    if (trouble !== undefined) tell('NODE_CONNECTED', peer.name);
    trouble = undefined;
  };
  while (!either.aborted) {
    // Who is back may have no flow to tell; who was only asked too much of is sent away at once.
    const back = clock.after(retryMs, isBack);
    try {
      for await (const response of answersOf(peer, resume.request, either, options)) {
        isBack();
        resume.saw(response);
        saw(response);
        yield response;
      }
    } catch (error) {
      if (either.aborted) break;
      const [state, text] = [stateOf(error), errorText(error)];
      if (trouble !== state) tell(state, peer.name, text);
      trouble = state;
      if (state === 'NODE_ERROR' && !resume.hasSeen) {
        options.refused(error);
        return;
      }
    } finally {
      back.cancel();
    }
    if (request.follow !== true) return;
    await pause(retryMs, either, clock);
  }
  if (peer.left.aborted && !signal.aborted) tell('NODE_GONE', peer.name);
}

function stateOf(error: unknown): NodeState {
  return isAbsence(error) ? 'NODE_UNAVAILABLE' : 'NODE_ERROR';
}

function isAbsence(error: unknown): boolean {
  return error instanceof AppError && (error.code === 'HUBBLE_UNREACHABLE' || error.code === 'HUBBLE_BUSY');
}

/** What to ask next of a peer that broke off: what came after the newest that was seen, or after the beginning. */
class Resume {
  readonly #first: GetFlowsRequest;
  readonly #startNs: bigint;
  #newestNs: bigint | undefined;
  #isAgain = false;

  constructor(request: GetFlowsRequest, clock: Clock) {
    this.#first = request;
    this.#startNs = BigInt(Math.round(clock.nowMs())) * 1_000_000n;
  }

  get hasSeen(): boolean {
    return this.#newestNs !== undefined;
  }

  get request(): GetFlowsRequest {
    const { number: _, ...rest } = this.#first;
    if (this.#newestNs !== undefined) return { ...rest, since: formatTime(this.#newestNs + 1n) };
    if (!this.#isAgain || rest.since !== undefined) {
      this.#isAgain = true;
      return this.#first;
    }
    return { ...rest, since: formatTime(this.#startNs) };
  }

  saw({ flow, time }: GetFlowsResponse): void {
    const timeNs = flow === undefined ? undefined : parseTime(time);
    if (timeNs !== undefined && (this.#newestNs === undefined || timeNs > this.#newestNs))
      this.#newestNs = timeNs;
  }
}

/** A follower may be silent for as long as nothing happens; who does not follow and is silent hangs. */
async function* answersOf(
  peer: RelayPeer,
  request: GetFlowsRequest,
  signal: AbortSignal,
  { clock, answerMs }: PeerStreamOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  if (request.follow === true) {
    yield* peer.client.flows(request, signal);
    return;
  }
  const hangs = new AbortController();
  const rows = peer.client.flows(request, AbortSignal.any([signal, hangs.signal]))[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await inTime(rows.next(), answerMs, clock);
      if (result === undefined) throw tooSlow(peer, answerMs);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    hangs.abort();
    // Not waited for: one that hangs would never come to its end.
    rows.return?.().catch(() => undefined);
  }
}

function tooSlow({ name }: RelayPeer, answerMs: number): AppError {
  const code: HubbleErrorCode = 'HUBBLE_UNREACHABLE';
  return new AppError(code, `Cannot wait for a node: it said nothing for ${answerMs} ms: received ${name}`);
}

/** Undefined when it takes longer. Rejects as `answer` does. */
export async function inTime<T>(answer: Promise<T>, mostMs: number, clock: Clock): Promise<T | undefined> {
  let late = (): void => undefined;
  const timer = clock.after(mostMs, () => late());
  try {
    return await Promise.race([
      answer,
      new Promise<undefined>((resolve) => {
        late = () => resolve(undefined);
      }),
    ]);
  } finally {
    timer.cancel();
  }
}
