/**
 * Did this query enter the cache of its own node? Read from flows alone, of as many nodes as were asked: the trace id joins
 * what happened to one query anywhere in the cluster. Pure; the story of the lab and the doctor print what this says.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import { EVENT_TYPES, endpointPod, type Flow, flowPorts, isKernelAnswered, TRACE_POINTS } from './api.ts';
import { latencyText } from './print/latency-text.ts';
import { parseTime } from './time.ts';
import { flowTraceId } from './trace-id.ts';

export interface CachePod {
  readonly pod: ObjectKey;
  readonly node: string;
}

/** One DNS query as its client sent it. */
export interface QuerySighting {
  readonly traceId: string;
  /** `namespace/name`, or the address of a client that is no pod. */
  readonly client: string;
  readonly clientNode: string;
  readonly sourcePort: number;
  readonly name: string;
  readonly qtype: string;
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
}

export interface QueryVerdict {
  /**
   * Of the client's own node: entered its cache, or was answered from the cache's memory by the kernel; went elsewhere; or no
   * packet of the query was seen.
   */
  readonly verdict: 'ENTERED' | 'BYPASSED' | 'UNSEEN';
  /**
   * When entered and answered: `hit`, the cache asked nobody for this name between query and answer; `miss`, it did.
   * A query of another client for the same name in the same moment makes a hit look like a miss, never the reverse.
   * `kernel`: no process was asked.
   */
  readonly served?: 'hit' | 'miss' | 'kernel';
  /** The pod it entered, on whichever node, if that was seen. */
  readonly server?: ObjectKey;
  readonly serverNode?: string;
  /** Nanoseconds, when the answer was seen. */
  readonly latencyNs?: bigint;
  /** Of a query that met a redirected frontend and was left alone: the datapath's reason, first word stable. */
  readonly fellBack?: string;
  /** One line: `VERDICT: who asked what; where it went`. */
  readonly evidence: string;
}

export interface QuerySelector {
  readonly clientPod?: ObjectKey;
  /** With or without the trailing dot, in any case. */
  readonly name?: string;
  readonly qtype?: string;
  readonly sourcePort?: number;
  /** The DNS message id. */
  readonly id?: number;
}

/** Every query in `flows` that the selector allows, oldest first. */
export function findQueries(flows: readonly Flow[], selector: QuerySelector = {}): readonly QuerySighting[] {
  return flows
    .flatMap((flow) => querySighting(flow) ?? [])
    .filter((query) => isSelected(query, selector))
    .sort((a, b) => Number(a.timeNs - b.timeNs));
}

function querySighting(flow: Flow): QuerySighting | undefined {
  const traceId = flowTraceId(flow);
  if (flow.l7?.type !== 'REQUEST' || flow.l7.dns === undefined || traceId === undefined) return undefined;
  return {
    traceId,
    client: endpointPod(flow.source) ?? flow.IP.source,
    clientNode: flow.node_name,
    sourcePort: flowPorts(flow).source_port ?? 0,
    name: flow.l7.dns.query,
    qtype: flow.l7.dns.qtypes.join(','),
    timeNs: timeOf(flow),
  };
}

function isSelected(query: QuerySighting, selector: QuerySelector): boolean {
  const { clientPod, name, qtype, sourcePort, id } = selector;
  if (clientPod !== undefined && query.client !== clientPod) return false;
  if (name !== undefined && foldName(query.name) !== foldName(name)) return false;
  if (qtype !== undefined && query.qtype !== qtype) return false;
  if (sourcePort !== undefined && query.sourcePort !== sourcePort) return false;
  return id === undefined || query.traceId.endsWith(`/${id}`);
}

/** RFC 4343: names compare without regard to ASCII case. */
function foldName(name: string): string {
  const folded = name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return folded.endsWith('.') ? folded : `${folded}.`;
}

/** How far apart in time two flows of one trace id may be and still be the same query; ids are used again. */
const QUERY_SPAN_NS = 15_000_000_000n;

/** Judges one query. `caches` are the cache pods of all nodes; `flows` may hold anything, in any order. */
export function judgeQuery(
  flows: readonly Flow[],
  query: QuerySighting,
  { caches }: { readonly caches: readonly CachePod[] },
): QueryVerdict {
  const own = flows.filter((flow) => isOfQuery(flow, query));
  const arrival = own.find((flow) => isArrival(flow) && flow.is_reply !== true);
  const answer = own.find((flow) => flow.l7?.type === 'RESPONSE');
  const server = arrival === undefined ? undefined : endpointPod(arrival.destination);
  const asked = `${query.client} asked ${query.name} ${query.qtype}`;
  const seen = {
    ...(server === undefined ? {} : { server }),
    ...(arrival === undefined ? {} : { serverNode: arrival.node_name }),
    ...(answer === undefined ? {} : { latencyNs: waitedNs(answer, query) }),
  };
  if (answer !== undefined && isKernelAnswered(answer)) {
    const where = `answered by the kernel on its own node ${answer.node_name}`;
    const evidence = `ENTERED: ${asked}; ${where} in ${latencyText(waitedNs(answer, query))}`;
    return { verdict: 'ENTERED', ...seen, served: 'kernel', evidence };
  }
  const localCaches = caches.filter(({ node }) => node === query.clientNode);
  const entered = localCaches.find(({ pod }) => own.some((flow) => entersPod(flow, pod)));
  if (entered !== undefined) {
    const served = answer === undefined ? undefined : servedBy({ flows, query, cache: entered, answer });
    const where = `it entered ${entered.pod} on its own node ${entered.node}`;
    const evidence = `ENTERED: ${asked}; ${where}${servedText(served, seen.latencyNs)}`;
    return { verdict: 'ENTERED', ...seen, ...(served === undefined ? {} : { served }), evidence };
  }
  const fellBack = own.map(fallBackOf).find((reason) => reason !== undefined);
  const why = fellBack === undefined ? '' : ` it fell back (${fellBack});`;
  const went =
    server === undefined ? `where it went was not seen` : `it entered ${server} on ${arrival?.node_name}`;
  const missing = localCaches.map(({ pod }) => pod.slice(pod.indexOf('/') + 1)).join(', ') || 'a node cache';
  const evidence = `BYPASSED: ${asked};${why} ${went}; no packet entered ${missing} on its own node ${query.clientNode}`;
  return { verdict: 'BYPASSED', ...seen, ...(fellBack === undefined ? {} : { fellBack }), evidence };
}

/** What to say of a query nobody saw: asked for by selector, because there is no sighting. */
export function unseenVerdict(selector: QuerySelector): QueryVerdict {
  const who = selector.clientPod ?? 'the client';
  const evidence = `UNSEEN: no query of ${who} for ${selector.name ?? 'any name'} passed an observed interface`;
  return { verdict: 'UNSEEN', evidence };
}

/** The newest query the selector allows, judged; or UNSEEN. */
export function judgeNewest(
  flows: readonly Flow[],
  selector: QuerySelector,
  options: { readonly caches: readonly CachePod[] },
): QueryVerdict {
  const query = findQueries(flows, selector).at(-1);
  return query === undefined ? unseenVerdict(selector) : judgeQuery(flows, query, options);
}

/** The kernel's answer is told at the time of its query: how long it took it says itself. */
function waitedNs(answer: Flow, query: QuerySighting): bigint {
  return isKernelAnswered(answer) ? BigInt(answer.l7?.latency_ns ?? 0) : timeOf(answer) - query.timeNs;
}

function isOfQuery(flow: Flow, query: QuerySighting): boolean {
  if (flowTraceId(flow) !== query.traceId) return false;
  const apart = timeOf(flow) - query.timeNs;
  return apart > -QUERY_SPAN_NS && apart < QUERY_SPAN_NS;
}

/** The proof that a packet reached a pod: a trace event at to-endpoint (spec hubble 12.3, step 4). */
function isArrival(flow: Flow): boolean {
  return flow.event_type.type === EVENT_TYPES.trace && (flow.event_type.sub_type ?? 0) === 0;
}

/** The reason stands in the summary of the translation that was not made. */
function fallBackOf(flow: Flow): string | undefined {
  return flow.verdict === 'TRACED' ? / fell back: (.+)$/.exec(flow.Summary)?.[1] : undefined;
}

function entersPod(flow: Flow, pod: ObjectKey): boolean {
  return isArrival(flow) && flow.is_reply !== true && endpointPod(flow.destination) === pod;
}

interface ServedInput {
  readonly flows: readonly Flow[];
  readonly query: QuerySighting;
  readonly cache: CachePod;
  readonly answer: Flow;
}

function servedBy({ flows, query, cache, answer }: ServedInput): 'hit' | 'miss' {
  const name = foldName(query.name);
  const answeredNs = timeOf(answer);
  const askedUpstream = flows.some((flow) => {
    if (flow.l7?.type !== 'REQUEST' || endpointPod(flow.source) !== cache.pod) return false;
    const timeNs = timeOf(flow);
    return foldName(flow.l7.dns?.query ?? '') === name && timeNs >= query.timeNs && timeNs <= answeredNs;
  });
  return askedUpstream ? 'miss' : 'hit';
}

function servedText(served: 'hit' | 'miss' | undefined, latencyNs: bigint | undefined): string {
  if (served === undefined || latencyNs === undefined) return '; no answer was seen';
  const how = served === 'hit' ? 'which answered by itself (hit)' : 'which asked upstream (miss)';
  return `, ${how} in ${latencyText(latencyNs)}`;
}

export interface AnswerWindow {
  /** Nanoseconds since the epoch, both inclusive. */
  readonly fromNs?: bigint;
  readonly toNs?: bigint;
  readonly clientPod?: ObjectKey;
}

/**
 * Answers that reached their client in the window, counted by the pod that gave them, or as those of `KERNEL`. An answer whose server was not seen
 * (its node is not observed) counts for the service or address it came from.
 */
export const KERNEL = 'the kernel';

export function countAnswers(flows: readonly Flow[], window: AnswerWindow = {}): ReadonlyMap<string, number> {
  const servers = new Map<string, string>();
  for (const flow of flows) {
    const traceId = flowTraceId(flow);
    const server = serverOf(flow);
    if (traceId !== undefined && server !== undefined) servers.set(traceId, server);
  }
  const counts = new Map<string, number>();
  for (const flow of flows) {
    if (flow.l7?.type !== 'RESPONSE' || !inAnswerWindow(flow, window)) continue;
    const server = isKernelAnswered(flow)
      ? KERNEL
      : (servers.get(flowTraceId(flow) ?? '') ?? addresseeOf(flow));
    counts.set(server, (counts.get(server) ?? 0) + 1);
  }
  return counts;
}

/** The pod that a packet of this query proves to have been at the serving end. */
export function serverOf(flow: Flow): ObjectKey | undefined {
  if (flow.event_type.type !== EVENT_TYPES.trace) return undefined;
  const { sub_type: point = 0 } = flow.event_type;
  if (flow.is_reply === true && TRACE_POINTS[point] === 'from-endpoint') return endpointPod(flow.source);
  return flow.is_reply === false && TRACE_POINTS[point] === 'to-endpoint'
    ? endpointPod(flow.destination)
    : undefined;
}

function addresseeOf(flow: Flow): string {
  const service = flow.source_service;
  if (service !== undefined) return `${service.namespace}/${service.name}`;
  return endpointPod(flow.source) ?? flow.IP.source;
}

function inAnswerWindow(flow: Flow, { fromNs, toNs, clientPod }: AnswerWindow): boolean {
  if (clientPod !== undefined && endpointPod(flow.destination) !== clientPod) return false;
  const timeNs = timeOf(flow);
  return (fromNs === undefined || timeNs >= fromNs) && (toNs === undefined || timeNs <= toNs);
}

function timeOf(flow: Flow): bigint {
  return parseTime(flow.time) ?? 0n;
}
