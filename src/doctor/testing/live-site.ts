/** Test support: a site as a living cluster gives it, of one node, from what a test says of it; all else is not known. */
import { type Ip, parseIp } from '../../net/ip.ts';
import type { AgentFacts, FlowSummary, ProbeTrail } from '../site/agent-facts.ts';
import type { PodFact } from '../site/cluster-facts.ts';
import { known, knownOr } from '../site/known.ts';
import type { NodeFacts } from '../site/node-facts.ts';
import { type Site, unknownAgentFacts, unknownNodeFacts } from '../site/site.ts';
import { siteOf, TAKEN_AT_MS } from './manifest-report.ts';

export const NODE = 'w1';
/** When it was looked at. */
export const LIVE_AT_MS = TAKEN_AT_MS;

export function address(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}

export interface LiveSpec {
  readonly manifests?: readonly string[];
  readonly facts?: Partial<NodeFacts>;
  readonly agent?: Partial<AgentFacts>;
}

export function liveSite({ manifests = [], facts = {}, agent = {} }: LiveSpec): Site {
  const node = {
    name: NODE,
    facts: { ...unknownNodeFacts('not looked at'), ...facts },
    agent: { ...unknownAgentFacts('not asked'), ...agent },
  };
  return { ...siteOf(...manifests), origin: 'live', nodes: [node] };
}

/** A pod of a DaemonSet or Deployment of the manifests, on a node. */
export function podOf(
  owner: string,
  name: string,
  at: { readonly node: string; readonly ip: string; readonly ready?: boolean },
): string {
  const [kind = '', rest = ''] = owner.split(' ');
  const [namespace = '', of = ''] = rest.split('/');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: {},
      ownerReferences: [{ apiVersion: 'apps/v1', kind, name: of, controller: true, uid: 'u' }],
    },
    spec: { nodeName: at.node, containers: [] },
    status: {
      phase: 'Running',
      podIP: at.ip,
      podIPs: [{ ip: at.ip }],
      conditions: [{ type: 'Ready', status: at.ready === false ? 'False' : 'True' }],
    },
  });
}

export function podsOf(site: Site): readonly PodFact[] {
  return knownOr(site.cluster.pods, []);
}

export function probe(fields: Partial<ProbeTrail> = {}): ProbeTrail {
  return {
    tag: 'zerohop-probe-ab-0',
    node: NODE,
    client: 'default/netshoot',
    protocol: 'UDP',
    target: address('10.96.0.10'),
    targetPort: 53,
    outcome: 'answered',
    rcode: 'NXDOMAIN',
    steps: [],
    ...fields,
  };
}

/** A quiet minute: nothing was asked and nothing is wrong. */
export function summary(fields: Partial<FlowSummary> = {}): FlowSummary {
  return {
    sinceMs: 0,
    untilMs: 60_000,
    queries: 0,
    searchMisses: 0,
    topSuffixes: [],
    truncated: 0,
    truncatedWithoutEdns: 0,
    truncatedAndDropped: 0,
    droppingPods: [],
    retries: 0,
    retryingPods: [],
    unanswered: 0,
    pairedQueries: 0,
    pairsToServices: 0,
    parallelQueries: 0,
    topNames: [],
    topPods: [],
    upstreamPeaks: [],
    lost: 0,
    ...fields,
  };
}

export function flowSite(fields: Partial<FlowSummary>, { manifests, facts }: LiveSpec = {}): Site {
  return liveSite({
    ...(manifests === undefined ? {} : { manifests }),
    ...(facts === undefined ? {} : { facts }),
    agent: { flows: known(summary(fields)) },
  });
}
