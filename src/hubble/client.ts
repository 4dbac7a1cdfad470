/**
 * A client of Hubble's API: ours, a relay's or Cilium's. Streams are read no faster than they are taken and end with their
 * signal; failures are `AppError`s that name the server. Our own conditions (`narrow`) go to servers that know them and are
 * applied to what the others answer. Asking again after a stream broke off is the caller's affair: what it has missed in
 * between only it can say.
 */
import { AppError, errorCode } from '../fault/app-error.ts';
import type { FlowNarrow, GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import { splitForForeignServer } from '../flow/filter/select-flows.ts';
import { type Clock, systemClock } from '../telemetry/clock.ts';
import { type AgentEvent, fromWireEvent } from './agent-events.ts';
import { type ClientTls, type Connection, openConnection } from './connection.ts';
import type { HubbleErrorCode } from './errors.ts';
import { HEALTH, type Method, methodOf, OBSERVER, PEER, type WireMessage } from './grpc.ts';
import {
  fromWireNamespaces,
  fromWireNodes,
  fromWirePeer,
  fromWireResponse,
  fromWireStatus,
} from './messages.ts';
import { nameOfNarrow } from './narrow.ts';
import type { ObserverSource, PeerChange } from './observer-source.ts';
import { toWireRequest } from './requests.ts';
import { appErrorOf, isCancelled } from './rpc-status.ts';

export type { ClientTls } from './connection.ts';

export interface HubbleClient extends ObserverSource {
  readonly target: string;
  peers(signal: AbortSignal): AsyncIterable<PeerChange>;
  /** What happened to an agent, as a node of Cilium's tells it. Nobody tells debug events in a form that is read here. */
  events(
    kind: 'agent-events' | 'debug-events',
    request: EventsRequest,
    signal: AbortSignal,
  ): AsyncIterable<AgentEvent>;
  /** Word of the health service for `hubble.server.Observer`. */
  health(): Promise<string>;
  /** Whether `narrow` of a request means something to the server; if not, `flows` narrows what it answers. */
  knowsNarrow(narrow?: FlowNarrow): Promise<boolean>;
  /** Throws `AppError` HUBBLE_UNREACHABLE unless somebody who speaks gRPC answers in time. */
  reach(timeoutMs: number): Promise<void>;
  /** Ends what is under way. */
  close(): void;
}

export interface EventsRequest {
  /** The newest so many. */
  readonly number?: number | string;
  readonly follow?: boolean;
}

export interface ClientSettings {
  /** Of questions with one answer; the default is the stock client's own (spec hubble 2.2). */
  readonly answerMs?: number;
  readonly clock?: Pick<Clock, 'monotonicMs'>;
}

const ANSWER_MS = 12_000;

/**
 * `unix:///path`, `host:port`, or `tls://host:port`; `tls` makes the second the third. Connects at the first question; files
 * of TLS are looked at again for later ones. Throws `AppError` HUBBLE_TARGET_INVALID or HUBBLE_TLS_UNUSABLE.
 */
export function openHubble(target: string, tls?: ClientTls, settings: ClientSettings = {}): HubbleClient {
  const { answerMs = ANSWER_MS, clock = systemClock } = settings;
  const connection = openConnection(target, tls, clock);
  const ask = (method: Method, message: WireMessage = {}) =>
    unary(connection, { method, message, timeoutMs: answerMs });
  const listen = (method: Method, message: WireMessage, signal: AbortSignal) =>
    stream(connection, { method, message, signal });
  const check = async (service: string, timeoutMs = answerMs) => {
    const question = { method: methodOf(HEALTH, 'Check'), message: { service }, timeoutMs };
    return String((await unary(connection, question)).status ?? 'UNKNOWN');
  };
  const knowsNarrow = (narrow: FlowNarrow = {}) =>
    check(nameOfNarrow(narrow)).then((status) => status === 'SERVING', isRefusal);
  async function* flowsOf(
    request: GetFlowsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GetFlowsResponse, void, void> {
    for await (const wire of listen(methodOf(OBSERVER, 'GetFlows'), toWireRequest(request), signal)) {
      const response: GetFlowsResponse | undefined = fromWireResponse(wire);
      if (response !== undefined) yield response;
    }
  }
  return {
    target,
    async *flows(request: GetFlowsRequest, signal: AbortSignal) {
      if (request.narrow === undefined || (await knowsNarrow(request.narrow))) {
        yield* flowsOf(request, signal);
        return;
      }
      const split = splitForForeignServer(request);
      if (!split.ok)
        throw new AppError(split.code, `Cannot ask Hubble: ${split.reason}: received from ${target}`);
      yield* split.value.select(flowsOf(split.value.request, signal));
    },
    status: async () => fromWireStatus(await ask(methodOf(OBSERVER, 'ServerStatus'))),
    nodes: async () => fromWireNodes(await ask(methodOf(OBSERVER, 'GetNodes'))),
    namespaces: async () => fromWireNamespaces(await ask(methodOf(OBSERVER, 'GetNamespaces'))),
    async *peers(signal: AbortSignal) {
      for await (const wire of listen(methodOf(PEER, 'Notify'), {}, signal)) {
        const change = fromWirePeer(wire);
        if (change !== undefined) yield change;
      }
    },
    async *events(kind, { number, follow }: EventsRequest, signal: AbortSignal) {
      const name = kind === 'agent-events' ? 'GetAgentEvents' : 'GetDebugEvents';
      const message = {
        ...(number === undefined ? {} : { number: String(number) }),
        follow: follow === true,
      };
      for await (const wire of listen(methodOf(OBSERVER, name), message, signal)) {
        if (kind === 'debug-events') throw unreadable(target);
        yield fromWireEvent(wire);
      }
    },
    health: () => check('hubble.server.Observer'),
    knowsNarrow,
    reach: async (timeoutMs) => void (await check('', timeoutMs).catch(isRefusal)),
    close: () => connection.close(),
  };
}

/** False: the server is there and has no such name, or no health service at all. Any other failure is thrown. */
function isRefusal(error: unknown): false {
  const code = errorCode(error);
  if (code === 'HUBBLE_REFUSED' || code === 'HUBBLE_UNSUPPORTED') return false;
  throw error;
}

function unreadable(target: string): AppError {
  const code: HubbleErrorCode = 'HUBBLE_UNSUPPORTED';
  return new AppError(code, `Cannot read debug events: the stock client can: received from ${target}`);
}

interface UnaryQuestion {
  readonly method: Method;
  readonly message: WireMessage;
  readonly timeoutMs: number;
}

async function unary(connection: Connection, question: UnaryQuestion): Promise<WireMessage> {
  const lease = connection.lease();
  const { method, message, timeoutMs } = question;
  const { path, requestSerialize, responseDeserialize } = method;
  const options = { deadline: Date.now() + timeoutMs };
  try {
    return await new Promise<WireMessage>((resolve, reject) => {
      lease.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        message,
        options,
        (error, answer) => {
          if (error !== null) reject(appErrorOf(error, connection.target));
          else resolve(answer ?? {});
        },
      );
    });
  } finally {
    lease.release();
  }
}

interface Question {
  readonly method: Method;
  readonly message: WireMessage;
  readonly signal: AbortSignal;
}

async function* stream(
  connection: Connection,
  { method, message, signal }: Question,
): AsyncGenerator<WireMessage, void, void> {
  if (signal.aborted) return;
  const { path, requestSerialize, responseDeserialize } = method;
  const lease = connection.lease();
  const call = lease.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for await (const each of call) yield each as WireMessage;
  } catch (error) {
    if (signal.aborted && isCancelled(error)) return;
    throw isServiceError(error) ? appErrorOf(error, connection.target) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
    // Also when the reader just stops reading.
    call.cancel();
    lease.release();
  }
}

function isServiceError(error: unknown): error is Parameters<typeof appErrorOf>[0] {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}
