/**
 * Flows of one or many nodes to a `FlowSummary` for each, response by response, in memory that does not grow with them. A
 * query and its answer are counted on the client's node; what was seen of them at the pod that served them is joined by the
 * trace id, on whichever node that was, so one of these is given the responses of all. Those of one node come in order.
 */
import type { ObjectKey } from '../../../cluster/rows.ts';
import type { GetFlowsResponse } from '../../../flow/api.ts';
import type { FlowSummary } from '../agent-facts.ts';
import {
  type AnsweredEvent,
  type AskedEvent,
  type DnsEvent,
  dnsEvent,
  type ServedEvent,
} from './dns-event.ts';
import { NodeSummary } from './node-summary.ts';
import { Recent } from './recent.ts';

export interface FlowSummaryOptions {
  /** Milliseconds since the epoch; what lies outside is not counted. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** When it was asked, by which is judged what has waited too long; default: the latest time of anything that was added. */
  readonly nowMs?: number;
  /** Pods that serve DNS: what they ask is their upstreams' load and nobody's query. */
  readonly servers: ReadonlySet<ObjectKey>;
  /** The pod's search list as `searchList` makes it, ends with their trailing dots. */
  readonly searchOf: (pod: ObjectKey) => readonly string[];
}

export interface FlowSummaries {
  add(response: GetFlowsResponse): void;
  /** Of each node that anything was heard of; may be asked again while more are added. */
  summaries(): ReadonlyMap<string, FlowSummary>;
  /** Of a node of which nothing was heard: all zeros, for an agent that answered and had no flows. */
  empty(): FlowSummary;
}

/** One query as both ends saw it. */
interface Joined {
  node?: NodeSummary;
  feltMs?: number;
  gotMs?: number;
  gaveMs?: number;
}

const PLACES = 8192;
/** More nodes than this are a mistake of somebody's. */
const MOST_NODES = 1024;
const LONGEST_MS = 30_000;

export function createFlowSummaries(options: FlowSummaryOptions): FlowSummaries {
  const nodes = new Map<string, NodeSummary>();
  const joined = new Recent<Joined>(PLACES);
  let latestMs = options.sinceMs;

  function nodeOf(name: string): NodeSummary | undefined {
    const known = nodes.get(name);
    if (known !== undefined || nodes.size >= MOST_NODES) return known;
    const node = new NodeSummary(options);
    nodes.set(name, node);
    return node;
  }

  function join(traceId: string, part: Joined): void {
    const whole = { ...joined.get(traceId), ...part };
    joined.set(traceId, whole);
    const { node, feltMs, gotMs, gaveMs } = whole;
    if (node === undefined || feltMs === undefined || gotMs === undefined || gaveMs === undefined) return;
    joined.delete(traceId);
    const servedMs = gaveMs - gotMs;
    if (servedMs >= 0 && servedMs <= LONGEST_MS) node.compared(feltMs, servedMs);
  }

  function served({ kind, traceId, atMs }: ServedEvent): void {
    join(traceId, kind === 'got' ? { gotMs: atMs } : { gaveMs: atMs });
  }

  function message(event: AskedEvent | AnsweredEvent, node: NodeSummary): void {
    if (options.servers.has(event.pod)) {
      if (event.kind === 'asked') node.upstream(event);
      return;
    }
    if (event.kind === 'asked') {
      node.asked(event);
      return;
    }
    const feltMs = node.answered(event);
    if (feltMs !== undefined) join(event.traceId, { node, feltMs });
  }

  return {
    add(response) {
      const event = dnsEvent(response);
      if (event === undefined || event.atMs < options.sinceMs || event.atMs > options.untilMs) return;
      latestMs = Math.max(latestMs, event.atMs);
      if (isServed(event)) {
        served(event);
        return;
      }
      const node = nodeOf(event.node);
      if (node === undefined) return;
      node.seenAt(event.atMs);
      if (event.kind === 'lost') node.lost += event.count;
      else message(event, node);
    },
    summaries: () =>
      new Map([...nodes].map(([name, node]) => [name, node.summary(options.nowMs ?? latestMs)])),
    empty: () => new NodeSummary(options).summary(options.nowMs ?? latestMs),
  };
}

function isServed(event: DnsEvent): event is ServedEvent {
  return event.kind === 'got' || event.kind === 'gave';
}

/** The whole of a stream, or of several one after the other. */
export async function summarise(
  responses: AsyncIterable<GetFlowsResponse> | Iterable<GetFlowsResponse>,
  options: FlowSummaryOptions,
): Promise<ReadonlyMap<string, FlowSummary>> {
  const all = createFlowSummaries(options);
  for await (const response of responses) all.add(response);
  return all.summaries();
}
