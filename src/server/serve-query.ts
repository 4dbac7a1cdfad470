/**
 * One query from bytes to bytes: acceptance, routing, the chain, finishing. Knows no sockets. The answer comes at once
 * whenever the chain answers at once. This is the request edge: what a handler throws is our own bug, and ends here as
 * SERVFAIL, a counter and a log line, never as a dead process.
 */
import { RCODE } from '../dns/codes.ts';
import type { Message, Question } from '../dns/message.ts';
import { replyTo } from '../dns/reply.ts';
import { errorText } from '../fault/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import { acceptPacket, refuseQuery } from './accept.ts';
import { finishReply } from './finish.ts';
import type { Query, Reply, SocketAddress } from './handler.ts';
import type { ServeObserver } from './observer.ts';
import { type Found, findRoute, type Router, type ServerRoute } from './router.ts';

/** A packet as a transport hands it over. */
export interface Arrival {
  /** Without TCP's length prefix. Never changed afterwards. */
  readonly bytes: Uint8Array;
  readonly client: SocketAddress;
  readonly local: SocketAddress;
  readonly transport: 'udp' | 'tcp';
  /** `performance.now()`. */
  readonly receivedAtMs: number;
}

export interface ServeContext {
  /** `dns://:53`. */
  readonly server: string;
  readonly router: Router;
  readonly log: Log;
  readonly observer: ServeObserver;
  /** As in `ListenerConduct`. */
  readonly keptOptions?: ReadonlySet<number> | undefined;
  readonly debug?: boolean | undefined;
  readonly stacktrace?: boolean | undefined;
}

/** A reply of several messages, over a stream only. */
export interface LongAnswer {
  readonly bytes: Uint8Array;
  /** Each made when it is asked for. Undefined means that it cannot go on: the connection must end. Never throws. */
  readonly more: Iterator<Uint8Array | undefined>;
}

/** Undefined: nothing is sent. */
export type Outcome = Uint8Array | LongAnswer | undefined;

/** What goes out as one datagram. */
export function firstMessage(outcome: Outcome): Uint8Array | undefined {
  return outcome instanceof Uint8Array ? outcome : outcome?.bytes;
}

/** The promise never rejects. */
export type Answer = Outcome | Promise<Outcome>;

export function serveQuery(arrival: Arrival, context: ServeContext): Answer {
  const accepted = acceptPacket(arrival.bytes);
  if (accepted.action === 'drop') return undefined;
  if (accepted.action === 'reply') return accepted.bytes;
  const { message, question } = accepted;
  const refusal = refuseQuery(message, question, context.router);
  if (refusal !== undefined) return reject(arrival, message, { reply: refusal, context });
  const asked = { arrival, message, question };
  // Made only for blocks with a view: what the view was shown is what the chain gets.
  let viewed: Map<ServerRoute, Query> | undefined;
  const found = findRoute(context.router, question, (candidate) => {
    const query = queryOf(asked, candidate, context);
    if (!isAccepted(query, candidate.route, context)) return false;
    viewed = (viewed ?? new Map<ServerRoute, Query>()).set(candidate.route, query);
    return true;
  });
  if (found?.route.handler === undefined) {
    return reject(arrival, message, { reply: replyTo(message, { rcode: RCODE.REFUSED }), context });
  }
  return runChain(viewed?.get(found.route) ?? queryOf(asked, found, context), found.route.handler, context);
}

interface Asked {
  readonly arrival: Arrival;
  readonly message: Message;
  readonly question: Question;
}

function queryOf(
  { arrival, message, question }: Asked,
  { zone, route }: Found,
  context: ServeContext,
): Query {
  return {
    message,
    question,
    wire: arrival.bytes,
    client: arrival.client,
    local: arrival.local,
    transport: arrival.transport,
    server: context.server,
    zone,
    receivedAtMs: arrival.receivedAtMs,
    view: route.view ?? '',
    metadata: new Map(),
  };
}

/** A view that throws does not accept. */
function isAccepted(query: Query, route: ServerRoute, context: ServeContext): boolean {
  try {
    return route.accepts?.(query) ?? true;
  } catch (error) {
    reportPanic(error, context);
    return false;
  }
}

function runChain(
  query: Query,
  handler: (query: Query) => Reply | Promise<Reply>,
  context: ServeContext,
): Answer {
  try {
    const reply = handler(query);
    if (!(reply instanceof Promise)) return finish(query, reply, context);
    return reply.then(
      (settled) => finishSafely(query, settled, context),
      (error) => recover(query, error, context),
    );
  } catch (error) {
    return recover(query, error, context);
  }
}

function finishSafely(query: Query, reply: Reply, context: ServeContext): Outcome {
  try {
    return finish(query, reply, context);
  } catch (error) {
    return recover(query, error, context);
  }
}

function finish(query: Query, reply: Reply, context: ServeContext): Outcome {
  if (reply.drop) return undefined;
  const { keptOptions } = context;
  const message = reply.message ?? replyTo(query.message, { rcode: reply.rcode });
  const delivery = keptOptions === undefined ? query : { ...query, keptOptions };
  const bytes = finishReply(sized(query.message, reply.udpSize), message, delivery);
  if (reply.more === undefined || query.transport === 'udp') return bytes;
  return { bytes, more: furtherMessages(query, reply.more, context) };
}

/** The OPT record of the reply says the lowered size as well, as if the client had asked with it. */
function sized(message: Message, udpSize: number | undefined): Message {
  if (udpSize === undefined || message.edns === undefined) return message;
  return { ...message, edns: { ...message.edns, udpSize } };
}

function* furtherMessages(
  query: Query,
  more: Iterable<Message>,
  context: ServeContext,
): Generator<Uint8Array | undefined, void> {
  try {
    for (const message of more) yield finishReply(query.message, message, query);
  } catch (error) {
    reportPanic(error, context);
    yield undefined;
  }
}

function recover(query: Query, error: unknown, context: ServeContext): Outcome {
  reportPanic(error, context);
  return finish(query, { rcode: RCODE.SERVFAIL }, context);
}

function reportPanic(error: unknown, context: ServeContext): void {
  // Outside of every promise and socket of ours, whose own handlers would catch it.
  if (context.debug) {
    setImmediate(() => {
      throw error;
    });
  }
  context.observer.onPanic?.();
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const text = context.stacktrace && stack !== '' ? stack : errorText(error);
  context.log.error(`Recovered from panic in server: "${context.server}" ${oneLine(text)}`);
}

/** A thrown text may hold a client's bytes: a line break in it would forge a log line. */
function oneLine(text: string): string {
  return text.replace(/\s*[\p{Cc}\u2028\u2029]+\s*/gu, ' | ');
}

function reject(
  arrival: Arrival,
  request: Message,
  { reply, context }: { reply: Message; context: ServeContext },
): Uint8Array {
  // BADVERS says 0 as its size, whatever the client advertised: its OPT record is not answered but replaced.
  const answered = reply.edns === undefined ? request : { ...request, edns: reply.edns };
  const bytes = finishReply(answered, reply, arrival);
  context.observer.onRejected?.({
    request,
    requestBytes: arrival.bytes.length,
    rcode: reply.rcode,
    replyBytes: bytes.length,
    client: arrival.client,
    transport: arrival.transport,
    receivedAtMs: arrival.receivedAtMs,
  });
  return bytes;
}
