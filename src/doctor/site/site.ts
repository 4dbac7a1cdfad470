/**
 * Everything the doctor looked at, as one immutable value: gathered once, judged by checks that open nothing themselves.
 * The same shape is made of a living cluster, of a node alone, and of a folder of manifests; what each of them cannot know
 * says so.
 */
import type { AgentFacts } from './agent-facts.ts';
import type { ClusterFacts } from './cluster-facts.ts';
import { unknown } from './known.ts';
import type { NodeFacts } from './node-facts.ts';

export interface Site {
  readonly origin: 'live' | 'manifests';
  /** When it was taken, milliseconds since the epoch: what ages are counted from. */
  readonly takenAtMs: number;
  readonly cluster: ClusterFacts;
  /** Those that were looked at. */
  readonly nodes: readonly NodeSite[];
  /** Objects and documents that could not be read, and why; each becomes a finding. */
  readonly troubles: readonly SiteTrouble[];
  /** Where an object was written: `objectName` to a place. Empty for a living cluster. */
  readonly places: ReadonlyMap<string, Place>;
}

export interface NodeSite {
  readonly name: string;
  readonly facts: NodeFacts;
  readonly agent: AgentFacts;
}

/** Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface SiteTrouble {
  /** An object's name, a file, a node. */
  readonly subject: string;
  readonly reason: string;
  readonly place?: Place;
}

/** How findings and places name an object: `DaemonSet kube-system/node-local-dns`. */
export function objectName(kind: string, row: { readonly namespace: string; readonly name: string }): string {
  return row.namespace === '' ? `${kind} ${row.name}` : `${kind} ${row.namespace}/${row.name}`;
}

export function unknownNodeFacts(why: string): NodeFacts {
  const part = unknown(why);
  return {
    interfaces: part,
    rules: part,
    proxy: part,
    sockets: part,
    conntrack: part,
    resolvConf: part,
    kernel: part,
    hooks: part,
    processes: part,
    xtablesLock: part,
  };
}

export function unknownAgentFacts(why: string): AgentFacts {
  const part = unknown(why);
  return { status: part, policies: part, probes: part, flows: part, upstreams: part };
}

export function unknownClusterFacts(why: string): ClusterFacts {
  const part = unknown(why);
  return {
    services: part,
    endpointSlices: part,
    pods: part,
    workloads: part,
    configMaps: part,
    localRedirectPolicies: part,
    networkPolicies: part,
    ciliumPolicies: part,
    nodes: part,
    namespaces: part,
    definitions: part,
    ciliumConfig: part,
    helmValues: part,
  };
}
