/**
 * What the doctor and its process on a node say to each other: lines of JSON, one answer for each question. The process may
 * be on another machine, behind `kubectl exec`, and of another version; so everything that comes back is looked at before it
 * is believed, and a line is never longer than `MAX_LINE_BYTES`.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import type { Flow } from '../../flow/api.ts';
import type { Ip } from '../../net/ip.ts';
import type { PolicyState } from '../../policy/table.ts';
import type { UpstreamAddress } from '../probe/upstream.ts';
import type { AgentSummary, FlowSummary, ProbeTrail, UpstreamProbe } from '../site/agent-facts.ts';
import { type Known, known } from '../site/known.ts';
import type { NodeFacts } from '../site/node-facts.ts';
import { isFlowsAnswer, isLookAnswer } from './answer-shapes.ts';

/** Raised when an answer can no longer be read by an older doctor. */
export const PROTOCOL_VERSION = 1;

/** Conntrack entries, rules and flows of a large node come to a few megabytes. */
export const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** Look at the node and probe its pods. The first question, once. */
export interface LookQuestion {
  readonly kind: 'look';
  /** The node's name, as the cluster has it. */
  readonly node: string;
  /** Cluster IPs of DNS. */
  readonly addresses: readonly Ip[];
  readonly pods: readonly { readonly key: ObjectKey; readonly addresses: readonly Ip[] }[];
  /** 1 to 16 hexadecimal digits. */
  readonly run: string;
  /** `cluster.local`. */
  readonly domain: string;
  /** For pods whose resolv.conf cannot be read. */
  readonly nameserver?: Ip;
  readonly probeTimeoutMs: number;
  /** How many times as long as usual a part may take; default 1. */
  readonly patience?: number;
  readonly udp?: number;
  readonly tcp?: number;
}

export interface LookAnswer {
  readonly kind: 'look';
  readonly version: number;
  readonly facts: NodeFacts;
  readonly probes: Known<NodeProbes>;
  readonly status: Known<AgentSummary | undefined>;
  readonly policies: Known<readonly PolicyState[]>;
}

export interface NodeProbes {
  readonly trails: readonly ProbeTrail[];
  /** By tag: where each left from. */
  readonly origins: Readonly<Record<string, ProbeOrigin>>;
  readonly skipped: readonly { readonly key: ObjectKey; readonly reason: string }[];
}

export interface ProbeOrigin {
  readonly addresses: readonly Ip[];
  /** 0: it never left. */
  readonly port: number;
}

/** Asked of every node once all probes of all nodes are home: servers may be on other nodes than clients. */
export interface FlowsQuestion {
  readonly kind: 'flows';
  /** How long ago the first probe may have left; clocks of nodes need not agree. */
  readonly agoMs: number;
  readonly origins: readonly ProbeOrigin[];
  /** Servers that the caches of the node forward to; they are asked whether they answer. */
  readonly upstreams: readonly UpstreamAddress[];
  readonly patience?: number;
  /** Sum up what the agent still has, too: absent where the doctor can ask the agent itself. */
  readonly sum?: { readonly servers: readonly ObjectKey[]; readonly domain: string };
}

export interface FlowsAnswer {
  readonly kind: 'flows';
  /** Of packets from or to one of the origins; unknown where there is no agent to ask. */
  readonly flows: Known<readonly Flow[]>;
  readonly upstreams: Known<readonly UpstreamProbe[]>;
  /** Absent when it was not asked for. */
  readonly summary?: Known<FlowSummary>;
}

export type NodeQuestion = LookQuestion | FlowsQuestion;
export type NodeAnswer = LookAnswer | FlowsAnswer;

/** Undefined for what is no answer of that kind. */
export function parseAnswer<K extends NodeAnswer['kind']>(
  line: string,
  kind: K,
): Extract<NodeAnswer, { readonly kind: K }> | undefined {
  const value = parseRecord(line);
  if (value?.kind !== kind) return undefined;
  if (kind === 'look' && value.version !== PROTOCOL_VERSION) return undefined;
  if (!(kind === 'look' ? isLookAnswer(value) : isFlowsAnswer(value))) return undefined;
  // `{ value: undefined }`, an agent that is not there, has nothing left once it was JSON.
  const whole = isEmptyPart(value.status) ? { ...value, status: known(undefined) } : value;
  return whole as unknown as Extract<NodeAnswer, { readonly kind: K }>;
}

/** Undefined for what is no question. */
export function parseQuestion(line: string): NodeQuestion | undefined {
  const value = parseRecord(line);
  const isLook = value?.kind === 'look' && typeof value.node === 'string' && Array.isArray(value.pods);
  const isFlows = value?.kind === 'flows' && Array.isArray(value.origins) && Array.isArray(value.upstreams);
  return isLook || isFlows ? (value as unknown as NodeQuestion) : undefined;
}

function parseRecord(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    // What else a shell or a container prints.
    return undefined;
  }
}

function isEmptyPart(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
