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
import { type Found, findRoute, type Router } from './router.ts';

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
}

/** Undefined: nothing is sent. The promise never rejects. */
export type Answer = Uint8Array | undefined | Promise<Uint8Array | undefined>;

export function serveQuery(arrival: Arrival, context: ServeContext): Answer {
  const accepted = acceptPacket(arrival.bytes);
  if (accepted.action === 'drop') return undefined;
  if (accepted.action === 'reply') return accepted.bytes;
  const { message, question } = accepted;
  const refusal = refuseQuery(message, question, context.router);
  if (refusal !== undefined) return reject(arrival, message, { reply: refusal, context });
  const query = { arrival, message, question };
  const found = findRoute(context.router, question, (candidate) => hasView(query, candidate, context));
  if (found?.route.handler === undefined) {
    return reject(arrival, message, { reply: replyTo(message, { rcode: RCODE.REFUSED }), context });
  }
  return runChain(queryOf(query, found.zone, context), found.route.handler, context);
}

interface Asked {
  readonly arrival: Arrival;
  readonly message: Message;
  readonly question: Question;
}

function queryOf({ arrival, message, question }: Asked, zone: Query['zone'], context: ServeContext): Query {
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
    view: '',
    metadata: new Map(),
  };
}

/** A view that throws does not accept. */
function hasView(asked: Asked, found: Found, context: ServeContext): boolean {
  try {
    return found.route.accepts?.(queryOf(asked, found.zone, context)) ?? true;
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
    if (!(reply instanceof Promise)) return finish(query, reply);
    return reply.then((settled) => finish(query, settled)).catch((error) => recover(query, error, context));
  } catch (error) {
    return recover(query, error, context);
  }
}

function finish(query: Query, reply: Reply): Uint8Array {
  return finishReply(query.message, reply.message ?? replyTo(query.message, { rcode: reply.rcode }), query);
}

function recover(query: Query, error: unknown, context: ServeContext): Uint8Array {
  reportPanic(error, context);
  return finish(query, { rcode: RCODE.SERVFAIL });
}

function reportPanic(error: unknown, context: ServeContext): void {
  context.observer.onPanic?.();
  context.log.error(`Recovered from panic in server: "${context.server}" ${oneLine(errorText(error))}`);
  if (error instanceof Error && error.stack !== undefined) context.log.debug(oneLine(error.stack));
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
