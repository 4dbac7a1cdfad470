/**
 * Puts the flows of one query together: its trace id joins what was seen of it on any node. A query is done when its answer
 * was seen, or when none came in time. Bounded: the oldest is closed when there is no room, and each keeps so many flows.
 * Times are those of the flows, so that what is read late is judged as if it were read at once.
 */
import { EVENT_TYPES, type Flow, isKernelAnswered } from '../../flow/api.ts';
import { parseTime } from '../../flow/time.ts';
import { flowTraceId } from '../../flow/trace-id.ts';
import type { QueryOutcome, WireStep } from '../wire.ts';
import { cut, endName, toStep } from './flow-step.ts';
import { rcodeWord } from './rcode-word.ts';
import { type Role, Roles } from './roles.ts';

/** libc's resolvers wait five seconds for an answer (resolv.conf(5)). */
const ANSWER_WAIT_MS = 5000;
const MAX_OPEN = 8192;
const MAX_STEPS = 16;
const MAX_CAUSES = 8;
/** No pod's name: those have a slash. */
const THE_KERNEL = 'the kernel';

export interface BookedQuery {
  readonly traceId: string;
  readonly client: string;
  readonly node: string;
  readonly asker: Role;
  readonly name: string;
  readonly type: string;
  readonly atMs: number;
  readonly steps: WireStep[];
  /** Clients for whose sake it is asked: the client itself, or those whose queries it shall answer. */
  readonly causes: ReadonlySet<string>;
  outcome: QueryOutcome;
  reason: string | undefined;
  /** Why the kernel threw a packet of it away; of no account once it is answered. */
  dropReason: string | undefined;
  server: string;
  serverRole: Role;
  askedFurther: boolean;
  /** No server was asked. */
  byKernel: boolean;
  rcode: string | undefined;
  ms: number | undefined;
}

export class QueryBook {
  readonly #open = new Map<string, BookedQuery>();
  /** Open queries by who serves them and for which name. */
  readonly #served = new Map<string, Set<BookedQuery>>();
  /** Flows that came before their dns-request, as the points of a packet do. */
  readonly #early = new Map<string, Flow[]>();
  readonly #roles = new Roles();
  readonly #onDone: (query: BookedQuery) => void;
  #lastMs = 0;

  constructor(onDone: (query: BookedQuery) => void) {
    this.#onDone = onDone;
  }

  get openQueries(): number {
    return this.#open.size;
  }

  forgetOpen(): void {
    this.#open.clear();
    this.#served.clear();
    this.#early.clear();
  }

  see(flow: Flow): void {
    this.#roles.learn(flow);
    const traceId = flowTraceId(flow);
    if (traceId === undefined) return;
    const timeMs = msOf(flow);
    if (timeMs > this.#lastMs) this.#expire(timeMs);
    let query = this.#open.get(traceId);
    if (flow.l7?.type === 'REQUEST') {
      if (query !== undefined && isAgain(query, flow)) {
        this.#close(query);
        query = undefined;
      }
      query ??= this.#begin(traceId, flow, timeMs);
    }
    if (query === undefined) {
      this.#keepEarly(traceId, flow);
      return;
    }
    this.#add(query, flow);
    if (flow.l7?.type === 'RESPONSE') this.#answer(query, flow, timeMs);
  }

  /** Closes what waits for an answer longer than anybody waits; `nowMs` is the sender's time. */
  #expire(nowMs: number): void {
    this.#lastMs = nowMs;
    for (const query of this.#open.values()) {
      if (nowMs - query.atMs < ANSWER_WAIT_MS) break;
      this.#close(query);
    }
    for (const [traceId, [first]] of this.#early) {
      if (first !== undefined && nowMs - msOf(first) < ANSWER_WAIT_MS) break;
      this.#early.delete(traceId);
    }
  }

  #begin(traceId: string, flow: Flow, atMs: number): BookedQuery {
    const client = endName(flow.source, flow.IP.source);
    const asker = this.#roles.of(flow.source, flow.IP.source);
    const name = cut(flow.l7?.dns?.query ?? '');
    const served = [...(this.#served.get(servedKey(client, name)) ?? [])];
    const causes = new Set(served.flatMap((query) => [...query.causes]).slice(0, MAX_CAUSES));
    for (const query of served) query.askedFurther = true;
    const query: BookedQuery = {
      traceId,
      client,
      node: flow.node_name,
      asker,
      name,
      type: cut(flow.l7?.dns?.qtypes.join(',') ?? ''),
      atMs,
      steps: [],
      causes: causes.size > 0 ? causes : new Set(asker === 'other' ? [client] : []),
      outcome: 'bypassed',
      reason: undefined,
      dropReason: undefined,
      server: flow.destination_service?.name ?? '',
      serverRole: 'other',
      askedFurther: false,
      byKernel: false,
      rcode: undefined,
      ms: undefined,
    };
    this.#open.set(traceId, query);
    for (const early of this.#early.get(traceId) ?? []) this.#add(query, early);
    this.#early.delete(traceId);
    if (this.#open.size > MAX_OPEN)
      for (const oldest of [...this.#open.values()].slice(0, 1)) this.#close(oldest);
    return query;
  }

  #keepEarly(traceId: string, flow: Flow): void {
    if (flow.is_reply === true || flow.l7 !== undefined) return;
    const flows = this.#early.get(traceId) ?? [];
    if (flows.length === 0) this.#early.set(traceId, flows);
    if (flows.length < MAX_STEPS) flows.push(flow);
    if (this.#early.size > MAX_OPEN)
      for (const key of [...this.#early.keys()].slice(0, 1)) this.#early.delete(key);
  }

  #add(query: BookedQuery, flow: Flow): void {
    if (query.steps.length < MAX_STEPS) query.steps.push(toStep(flow));
    if (flow.verdict === 'DROPPED') {
      // What it was asked follows a semicolon, and would make every name a reason of its own.
      query.dropReason = cut(
        / dropped ([^;]+)/.exec(flow.Summary)?.[1] ?? flow.drop_reason_desc ?? 'no reason was told',
      );
      return;
    }
    if (isKernelAnswered(flow)) this.#serveByKernel(query);
    if (query.byKernel || flow.is_reply === true || flow.l7?.type === 'RESPONSE') return;
    const role = this.#roles.of(flow.destination, flow.IP.destination, flow.destination_service);
    const fellBack = flow.verdict === 'TRACED' ? / fell back(?:: (.+))?$/.exec(flow.Summary) : null;
    if (fellBack !== null) {
      query.outcome = 'fell-back';
      query.reason = cut(fellBack[1] ?? 'no reason was told');
    }
    if (role === 'other' && query.serverRole !== 'other') return;
    this.#serveBy(query, endName(flow.destination, flow.IP.destination), role);
    const isArrival = flow.event_type.type === EVENT_TYPES.trace && flow.event_type.sub_type !== 5;
    const entered = role === 'cache' && (isArrival || flow.verdict === 'TRANSLATED' || flow.l7 !== undefined);
    if (entered && flow.node_name === query.node) query.outcome = 'entered';
  }

  #serveBy(query: BookedQuery, server: string, role: Role): void {
    if (query.serverRole === 'cache' && role !== 'cache') return;
    this.#forget(query);
    query.server = server;
    query.serverRole = role;
    const key = servedKey(server, query.name);
    const queries = this.#served.get(key) ?? new Set();
    this.#served.set(key, queries.add(query));
  }

  /** Instead of the cache, whose answer it is: what the datapath did of it before is of no account. */
  #serveByKernel(query: BookedQuery): void {
    this.#forget(query);
    query.byKernel = true;
    query.server = THE_KERNEL;
    query.serverRole = 'other';
    query.outcome = 'entered';
    query.reason = undefined;
  }

  #answer(query: BookedQuery, flow: Flow, timeMs: number): void {
    query.rcode = rcodeWord(flow.l7?.dns?.rcode ?? 0);
    const told = Number(flow.l7?.latency_ns ?? Number.NaN) / 1e6;
    query.ms = Number.isFinite(told) ? told : Math.max(0, timeMs - query.atMs);
    this.#close(query);
  }

  #close(query: BookedQuery): void {
    this.#open.delete(query.traceId);
    this.#forget(query);
    if (query.rcode === undefined && query.dropReason !== undefined) {
      query.outcome = 'dropped';
      query.reason = query.dropReason;
    }
    this.#onDone(query);
  }

  #forget(query: BookedQuery): void {
    const key = servedKey(query.server, query.name);
    const queries = this.#served.get(key);
    queries?.delete(query);
    if (queries?.size === 0) this.#served.delete(key);
  }
}

/** A trace id is used again by another question; the same question again is a repetition of an unanswered one. */
function isAgain(query: BookedQuery, flow: Flow): boolean {
  return (
    query.name !== cut(flow.l7?.dns?.query ?? '') || query.type !== cut(flow.l7?.dns?.qtypes.join(',') ?? '')
  );
}

function servedKey(server: string, name: string): string {
  return `${server} ${name.toLowerCase()}`;
}

function msOf(flow: Flow): number {
  return Number((parseTime(flow.time) ?? 0n) / 1000n) / 1000;
}
