/**
 * Hubble's gRPC API (spec hubble 6): observer, peers and health, on unix sockets, TCP and TLS. It asks its source and turns
 * answers into messages; whatever clients send, how many they are and how slowly they read costs no more than the limits
 * below. Deliberately absent: reflection, compression, and a version header (the stock client warns when it is newer than
 * itself).
 */
import type { Socket } from 'node:net';
import { AppError } from '../fault/app-error.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { HubbleErrorCode } from './errors.ts';
import { fromWireEventsWindow, toWireNodeEvent, type WireEventsWindow } from './event-messages.ts';
import {
  HEALTH,
  methodOf,
  OBSERVER,
  PEER,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
  type WireMessage,
} from './grpc.ts';
import { isHealthService, watchHealth } from './health.ts';
import { type ListenAddress, type Listener, openListener } from './listen/listener.ts';
import { toWireNodes, toWirePeer, toWireResponse, toWireStatus } from './messages.ts';
import type { ObserverSource, PeerSource } from './observer-source.ts';
import { fromWireRequest, noticingUnknown, type WireFlowsRequest } from './requests.ts';
import { statusOf } from './rpc-status.ts';
import { clientOf, type StreamCall, Streams } from './streams.ts';

export interface HubbleServerOptions {
  readonly source: ObserverSource;
  /** Absent: whoever asks for peers is told that this server knows none. */
  readonly peers?: PeerSource;
  readonly listen: readonly ListenAddress[];
  readonly clock: Clock;
  readonly log: Pick<Log, 'error' | 'info'>;
  /** Streams open at once, of all clients. */
  readonly maxStreams?: number;
}

export interface HubbleServer {
  /** As clients write them, in the order of `listen`. */
  readonly targets: readonly string[];
  /** Streams that are open now. */
  readonly streams: number;
  /** Health says NOT_SERVING, streams end, sockets go. */
  close(): Promise<void>;
}

const MAX_STREAMS = 128;
/** Of each listener. A relay and the stock client need one each. */
const MAX_CONNECTIONS = 256;
/** A request is filters: what a person wrote, or a dashboard made. A mebibyte of empty ones took two seconds to read. */
const MAX_REQUEST_BYTES = 1 << 17;
const IDLE_MS = 5 * 60_000;
/** Finds out that a follower's machine is gone, which otherwise only the kernel's timeouts would. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** How long those who were told may take to hang up. */
const GRACE_MS = 500;

/** Throws `AppError` as `openListener` does; nothing stays open then. */
export async function startHubbleServer(options: HubbleServerOptions): Promise<HubbleServer> {
  const { log, clock } = options;
  const streams = new Streams(options.maxStreams ?? MAX_STREAMS, log);
  const closing = new AbortController();
  const server = grpcServer(options, streams, closing.signal);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  let accepted = 0;
  const accept = (socket: Socket) => {
    // The library tells connections apart by their address, and those of a unix socket have none.
    if (socket.remoteAddress === undefined)
      Object.defineProperty(socket, 'remoteAddress', { value: `unix-${++accepted}` });
    // A connection that breaks off is its client's business.
    socket.on('error', () => socket.destroy());
    injector.injectConnection(socket);
  };
  const listeners: Listener[] = [];
  const close = async () => {
    closing.abort();
    const closed = listeners.map((listener) => listener.close());
    streams.close();
    injector.drain(GRACE_MS);
    const timer = clock.after(GRACE_MS, () => {
      for (const listener of listeners) listener.hangUp();
    });
    await Promise.all(closed);
    timer.cancel();
    server.forceShutdown();
  };
  try {
    for (const address of options.listen)
      listeners.push(await openListener({ address, accept, maxConnections: MAX_CONNECTIONS, clock, log }));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    targets: listeners.map(({ target }) => target),
    get streams() {
      return streams.size;
    },
    close,
  };
}

function grpcServer(options: HubbleServerOptions, streams: Streams, closing: AbortSignal): Server {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS * 2,
    'grpc.max_connection_idle_ms': IDLE_MS,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.enable_channelz': 0,
  });
  server.addService(
    { ...OBSERVER, GetFlows: noticingUnknown(methodOf(OBSERVER, 'GetFlows')) },
    observerMethods(options, streams),
  );
  server.addService(PEER, {
    Notify: (call: StreamCall) => void streams.run(call, (signal) => peersOf(options, signal)),
  });
  server.addService(HEALTH, healthMethods(streams, closing));
  return server;
}

type UnaryCall = ServerUnaryCall<WireMessage, WireMessage>;
type Reply = sendUnaryData<WireMessage>;

function observerMethods({ source, log }: HubbleServerOptions, streams: Streams) {
  const unary = (answer: () => Promise<WireMessage>) => (_call: UnaryCall, reply: Reply) => {
    answer().then(
      (message) => reply(null, message),
      (error: unknown) => reply(statusOf(error, log)),
    );
  };
  const refused = (what: string) => (call: StreamCall) => {
    call.emit('error', statusOf(unsupported(what), log));
  };
  return {
    GetFlows: (call: StreamCall) => void streams.run(call, (signal) => flowsOf(source, call, signal)),
    ServerStatus: unary(async () => toWireStatus(await source.status())),
    GetNodes: unary(async () => toWireNodes(await source.nodes())),
    GetNamespaces: unary(async () => ({ namespaces: await source.namespaces() })),
    GetAgentEvents: (call: StreamCall) =>
      void streams.run(call, (signal) => agentEventsOf(source, call.request, signal)),
    GetDebugEvents: refused('debug events: the programs of this datapath write none'),
  };
}

function unsupported(what: string): AppError {
  const code: HubbleErrorCode = 'HUBBLE_UNSUPPORTED';
  return new AppError(code, `Cannot give ${what}`);
}

async function* flowsOf(
  source: ObserverSource,
  call: StreamCall,
  signal: AbortSignal,
): AsyncGenerator<WireMessage, void, void> {
  const request = fromWireRequest(call.request as WireFlowsRequest);
  if (!request.ok) throw new AppError(request.code, `Cannot answer the request for flows: ${request.reason}`);
  const answers = source.flows(request.value, signal, clientOf(call));
  for await (const response of answers) yield toWireResponse(response);
}

async function* agentEventsOf(
  source: ObserverSource,
  wire: WireEventsWindow,
  signal: AbortSignal,
): AsyncGenerator<WireMessage, void, void> {
  if (source.agentEvents === undefined) throw unsupported('events of an agent: ask the agents themselves');
  const request = fromWireEventsWindow(wire);
  if (!request.ok)
    throw new AppError(request.code, `Cannot answer the request for events: ${request.reason}`);
  for await (const response of source.agentEvents(request.value, signal)) yield toWireNodeEvent(response);
}

async function* peersOf(
  { peers }: HubbleServerOptions,
  signal: AbortSignal,
): AsyncGenerator<WireMessage, void, void> {
  if (peers === undefined) throw unsupported('peers: this server knows none');
  for await (const change of peers(signal)) yield toWirePeer(change);
}

function healthMethods(streams: Streams, closing: AbortSignal) {
  const serviceOf = ({ request }: { readonly request: WireMessage }) => String(request.service ?? '');
  return {
    Check(call: UnaryCall, reply: Reply) {
      const service = serviceOf(call);
      if (isHealthService(service)) reply(null, { status: closing.aborted ? 'NOT_SERVING' : 'SERVING' });
      else reply({ code: status.NOT_FOUND, details: 'This server has no service of that name' });
    },
    Watch(call: StreamCall) {
      void streams.run(call, async function* (signal) {
        for await (const state of watchHealth(serviceOf(call), signal, closing)) yield { status: state };
      });
    },
  };
}
