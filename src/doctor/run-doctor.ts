/**
 * The doctor on a living cluster: lists the objects, looks at the nodes that can be reached, sends probes from inside of
 * pods, follows them, and judges. Every part has an end; what is late is unknown. Nothing is changed anywhere: objects are
 * listed, files and tables are read, queries for names that nobody has are sent.
 *
 * How nodes and agents are reached is the caller's affair (`NodeReach`), so that the same runs from a shell, in the page's
 * server and in tests. Deliberately absent: retries. Whoever wants to know better asks again.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Check } from './check.ts';
import { clusterDomain } from './live/cluster-domain.ts';
import { followProbes } from './live/follow-probes.ts';
import { listCluster, unlistedCluster } from './live/list-cluster.ts';
import { type NodeProcess, type NodeReach, startNodeProcess } from './live/node-process.ts';
import type { FlowsAnswer, LookAnswer, LookQuestion, NodeProbes } from './live/node-protocol.ts';
import { pickPods } from './live/pick-pods.ts';
import type { Surroundings } from './live/reach-nodes.ts';
import { dnsPicture } from './picture/dns-picture.ts';
import type { NotLookedAt, Report } from './report/report.ts';
import { runChecks } from './run-checks.ts';
import type { HelmValuesFact } from './site/cluster-facts.ts';
import { isKnown, type Known, knownOr, unknown } from './site/known.ts';
import { readCluster } from './site/read-cluster.ts';
import {
  type NodeSite,
  type Site,
  type SiteTrouble,
  unknownAgentFacts,
  unknownNodeFacts,
} from './site/site.ts';

export interface DoctorOptions {
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** Or why there is none. */
  readonly cluster: Known<Pick<KubeClient, 'get'>>;
  /** Asked once the cluster is known, which may have nobody in it. */
  readonly reach: (site: Site) => Surroundings;
  /** Only this one is probed. */
  readonly pod?: ObjectKey;
  readonly helmValues?: Known<readonly HelmValuesFact[]>;
  /** Default: what the Corefiles of the cluster's DNS say, else `cluster.local`. */
  readonly domain?: string;
  /** For everything together; default 9,000. */
  readonly timeoutMs?: number;
  readonly checks?: readonly Check[];
}

const DEFAULT_TIMEOUT_MS = 9000;
/** What is left for judging and printing. */
const LAST_MS = 400;

/** Never throws for what the cluster is like. */
export async function runDoctor(options: DoctorOptions): Promise<Report> {
  const { clock, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const endMs = clock.monotonicMs() + timeoutMs - LAST_MS;
  const left = (most: number) => Math.max(0, Math.min(most, endMs - clock.monotonicMs()));
  const { site: empty, troubles } = await readSite(options, left(timeoutMs / 3));
  const { reaches, notLookedAt } = options.reach(empty);
  const nodes = await lookAtNodes({ options, site: empty, reaches, left });
  const lost = nodes.flatMap(({ reach, answer }): readonly NotLookedAt[] =>
    isKnown(answer) ? [] : [{ node: reach.node, reason: `${reach.how}: ${answer.unknown}` }],
  );
  const site: Site = { ...empty, troubles, nodes: nodes.map(({ site: node }) => node) };
  const report = await runChecks(site, options.checks);
  return { ...report, notLookedAt: [...notLookedAt, ...lost] };
}

async function readSite(
  { cluster, clock, helmValues = NO_HELM_VALUES }: DoctorOptions,
  timeoutMs: number,
): Promise<{ readonly site: Site; readonly troubles: readonly SiteTrouble[] }> {
  const raw = isKnown(cluster)
    ? await listCluster(cluster.value, { clock, timeoutMs })
    : unlistedCluster(cluster.unknown);
  const { cluster: facts, troubles } = readCluster(raw, helmValues);
  const site: Site = {
    ...{
      origin: 'live',
      takenAtMs: clock.nowMs(),
      cluster: facts,
      nodes: [],
      troubles: [],
      places: new Map(),
    },
  };
  return { site, troubles };
}

const NO_HELM_VALUES = unknown('a cluster does not tell with which Helm values it was made');

interface Looking {
  readonly options: DoctorOptions;
  readonly site: Site;
  readonly reaches: readonly NodeReach[];
  /** Milliseconds that a part may take, at most `most`. */
  readonly left: (most: number) => number;
}

interface LookedAt {
  readonly reach: NodeReach;
  readonly answer: Known<LookAnswer>;
  readonly site: NodeSite;
}

/** A process has to start, to look and to wait for probes that nobody answers; and then to be asked for flows. */
const LOOK_MS = 6500;
const PROBE_MS = 2500;
const FLOWS_MS = 2000;

async function lookAtNodes({ options, site, reaches, left }: Looking): Promise<readonly LookedAt[]> {
  const { clock } = options;
  const processes = reaches.map((reach) => ({ reach, process: startNodeProcess(reach, clock) }));
  try {
    const run = Math.floor(options.random() * 0x1_0000_0000).toString(16);
    const looked = await Promise.all(
      processes.map(async ({ reach, process }) => ({
        ...{ reach, process },
        answer: await process.ask<'look'>(lookQuestion(options, site, reach.node, run), left(LOOK_MS)),
      })),
    );
    const origins = looked.flatMap(({ answer }) => Object.values(probesOf(answer).origins));
    const flows = await Promise.all(
      looked.map(({ answer, process }) =>
        isKnown(answer) ? process.ask<'flows'>({ kind: 'flows', origins }, left(FLOWS_MS)) : answer,
      ),
    );
    return assemble(site, looked, flows);
  } finally {
    for (const { process } of processes) process.close();
  }
}

function lookQuestion(options: DoctorOptions, site: Site, node: string, run: string): LookQuestion {
  const addresses = dnsPicture(site).services.flatMap(({ clusterIPs }) => clusterIPs);
  const [nameserver] = addresses;
  return {
    kind: 'look',
    ...{ node, addresses, run },
    pods: pickPods(site, node, options.pod),
    domain: options.domain ?? clusterDomain(site),
    probeTimeoutMs: PROBE_MS,
    ...(nameserver === undefined ? {} : { nameserver }),
  };
}

type Looked = Pick<LookedAt, 'reach' | 'answer'> & { readonly process: NodeProcess };

function assemble(
  site: Site,
  looked: readonly Looked[],
  flows: readonly Known<FlowsAnswer>[],
): readonly LookedAt[] {
  const all = flows.flatMap((answer) => (isKnown(answer) ? knownOr(answer.value.flows, []) : []));
  const followed = followProbes(
    site,
    looked.flatMap(({ reach, answer }) =>
      isKnown(answer) ? [{ name: reach.node, facts: answer.value.facts, probes: probesOf(answer) }] : [],
    ),
    all,
  );
  return looked.map(({ reach, answer }, i): LookedAt => {
    if (!isKnown(answer)) return { reach, answer, site: blindNode(reach.node, answer.unknown) };
    const { facts, status, policies, probes } = answer.value;
    const told = flows[i];
    const agent = {
      ...{ status, policies, upstreams: unknown('upstreams are not asked yet') },
      probes: isKnown(probes) ? { value: followed.get(reach.node) ?? [] } : probes,
      flows: told === undefined || !isKnown(told) ? unknown(told?.unknown ?? '') : told.value.summary,
    };
    return { reach, answer, site: { name: reach.node, facts, agent } };
  });
}

const NO_PROBES: NodeProbes = { trails: [], origins: {}, skipped: [] };

function probesOf(answer: Known<LookAnswer>): NodeProbes {
  return isKnown(answer) ? knownOr(answer.value.probes, NO_PROBES) : NO_PROBES;
}

function blindNode(name: string, why: string): NodeSite {
  return { name, facts: unknownNodeFacts(why), agent: unknownAgentFacts(why) };
}
