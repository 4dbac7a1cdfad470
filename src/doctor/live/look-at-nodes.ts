/**
 * Everything that is learned of nodes, each by a process of its own that looks and probes, all at the same time; then their
 * flows, once all probes are home, because a query that left one node may have arrived on another. A node that does not
 * answer in time is a node of which nothing is known.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { dnsPicture } from '../picture/dns-picture.ts';
import { upstreamServers } from '../picture/upstreams.ts';
import type { Report } from '../report/report.ts';
import type { AgentFacts, FlowSummary } from '../site/agent-facts.ts';
import { isKnown, type Known, known, knownOr, unknown } from '../site/known.ts';
import { type NodeSite, type Site, unknownAgentFacts, unknownNodeFacts } from '../site/site.ts';
import { within } from './deadline.ts';
import { followProbes } from './follow-probes.ts';
import { type NodeProcess, type NodeReach, startNodeProcess } from './node-process.ts';
import type { FlowsAnswer, FlowsQuestion, LookAnswer, LookQuestion, NodeProbes } from './node-protocol.ts';
import { pickPods } from './pick-pods.ts';
import { dnsServerPods, type NodeFlows, sumFlows } from './sum-flows.ts';

export interface Looking {
  readonly clock: Clock;
  readonly site: Site;
  readonly reaches: readonly NodeReach[];
  /** Milliseconds that a part may take, at most `most`. */
  readonly left: (most: number) => number;
  /** How many times as long as usual each part may take: on a slow machine somebody gives more time. */
  readonly patience: number;
  /** 1 to 16 hexadecimal digits, another for each run. */
  readonly run: string;
  readonly domain: string;
  /** Only this one is probed. */
  readonly pod?: ObjectKey;
  readonly flowSources?: () => Promise<readonly NodeFlows[]>;
}

export interface LookedAt {
  readonly reach: NodeReach;
  readonly site: NodeSite;
  /** Why nothing is known of the node. */
  readonly failed?: string;
  readonly notProbed: Report['notProbed'];
}

/** A process has to start, to look and to wait for probes that nobody answers; and then to be asked for flows. */
const LOOK_MS = 6500;
const PROBE_MS = 2500;
const FLOWS_MS = 4000;
const SOURCES_MS = 2000;
const SUM_MS = 2500;
/** Probes of a node that was quicker to start are older than the question of what became of them. */
const MARGIN_MS = 500;

export async function lookAtNodes(looking: Looking): Promise<readonly LookedAt[]> {
  const { clock, reaches, left, patience } = looking;
  const processes = reaches.map((reach) => ({ reach, process: startNodeProcess(reach, clock) }));
  try {
    const startedMs = clock.monotonicMs();
    const finding = findSources(looking);
    const looked = await Promise.all(
      processes.map(async ({ reach, process }) => ({
        ...{ reach, process },
        answer: await process.ask<'look'>(lookQuestion(looking, reach.node), left(LOOK_MS * patience)),
      })),
    );
    // What became of the probes comes first: reading whole logs keeps agents busy.
    const sources = await finding;
    const flows = await askForFlows(looking, { looked, sources, startedMs });
    const summaries = await sumFlows(sources, {
      ...{
        clock,
        domain: looking.domain,
        timeoutMs: left(SUM_MS * looking.patience),
        servers: dnsServerPods(looking.site),
      },
    });
    return assemble(looking.site, { looked, flows, summaries });
  } finally {
    for (const { process } of processes) process.close();
  }
}

type Looked = Pick<LookedAt, 'reach'> & {
  readonly process: NodeProcess;
  readonly answer: Known<LookAnswer>;
};
type Summaries = ReadonlyMap<string, Known<FlowSummary>>;

/** Empty where no agent is found from here: each process on a node asks for itself, and says what it finds. */
async function findSources({ clock, flowSources, left, patience }: Looking): Promise<readonly NodeFlows[]> {
  const found = await within(clock, left(SOURCES_MS * patience), async () => (await flowSources?.()) ?? []);
  return knownOr(found, []);
}

function lookQuestion({ site, run, domain, pod, patience }: Looking, node: string): LookQuestion {
  const addresses = dnsPicture(site).services.flatMap(({ clusterIPs }) => clusterIPs);
  const [nameserver] = addresses;
  return {
    kind: 'look',
    ...{ node, addresses, run, domain },
    pods: pickPods(site, node, pod),
    probeTimeoutMs: PROBE_MS * patience,
    patience,
    ...(nameserver === undefined ? {} : { nameserver }),
  };
}

interface Asking {
  readonly looked: readonly Looked[];
  readonly sources: readonly NodeFlows[];
  /** When the first of the processes was started. */
  readonly startedMs: number;
}

function askForFlows(
  { clock, left, patience, site, domain }: Looking,
  { looked, sources, startedMs }: Asking,
): Promise<readonly Known<FlowsAnswer>[]> {
  const origins = looked.flatMap(({ answer }) => Object.values(probesOf(answer).origins));
  const sum = { servers: dnsServerPods(site), domain };
  const agoMs = clock.monotonicMs() - startedMs + MARGIN_MS;
  return Promise.all(
    looked.map(({ reach, answer, process }) => {
      if (!isKnown(answer)) return answer;
      const own = sources.some(({ node }) => node === reach.node) ? {} : { sum };
      const servers = upstreamServers(site, { name: reach.node, facts: answer.value.facts });
      const upstreams = servers.map(({ address, port }) => ({ address, port }));
      const question: FlowsQuestion = { kind: 'flows', agoMs, origins, upstreams, patience, ...own };
      return process.ask<'flows'>(question, left(FLOWS_MS * patience));
    }),
  );
}

interface Learned {
  readonly looked: readonly Looked[];
  readonly flows: readonly Known<FlowsAnswer>[];
  readonly summaries: Summaries;
}

function assemble(site: Site, { looked, flows, summaries }: Learned): readonly LookedAt[] {
  const all = flows.flatMap((answer) => (isKnown(answer) ? knownOr(answer.value.flows, []) : []));
  const seen = looked.flatMap(({ reach, answer }) =>
    isKnown(answer) ? [{ name: reach.node, facts: answer.value.facts, probes: probesOf(answer) }] : [],
  );
  const followed = followProbes(site, seen, all);
  return looked.map(({ reach, answer }, i): LookedAt => {
    const { node } = reach;
    if (!isKnown(answer)) {
      return { reach, site: blindNode(node, answer.unknown), failed: answer.unknown, notProbed: [] };
    }
    const { facts, status, policies, probes } = answer.value;
    const later = flows[i] ?? unknown('nobody was asked');
    const agent: AgentFacts = {
      ...{ status, policies },
      upstreams: isKnown(later) ? later.value.upstreams : later,
      probes: isKnown(probes) ? known(followed.get(node) ?? []) : probes,
      flows: summaries.get(node) ?? summaryOf(later),
    };
    const notProbed = probesOf(answer).skipped.map(({ key, reason }) => ({ pod: key, node, reason }));
    return { reach, notProbed, site: { name: node, facts, agent } };
  });
}

function summaryOf(answer: Known<FlowsAnswer>): Known<FlowSummary> {
  return isKnown(answer) ? (answer.value.summary ?? unknown('nobody was asked')) : answer;
}

const NO_PROBES: NodeProbes = { trails: [], origins: {}, skipped: [] };

function probesOf(answer: Known<LookAnswer>): NodeProbes {
  return isKnown(answer) ? knownOr(answer.value.probes, NO_PROBES) : NO_PROBES;
}

function blindNode(name: string, why: string): NodeSite {
  return { name, facts: unknownNodeFacts(why), agent: unknownAgentFacts(why) };
}
