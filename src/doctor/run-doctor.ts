/**
 * The doctor on a living cluster: lists the objects, looks at the nodes that can be reached, sends probes from inside of
 * pods, follows them, and judges. Every part has an end; what is late is unknown. Nothing is changed anywhere: objects are
 * listed, files and tables are read, queries for names that nobody has are sent.
 *
 * How nodes and agents are reached is the caller's affair (`NodeReach`), so that the same runs from a shell, in the page's
 * server and in tests. Deliberately absent: retries. Whoever wants to know better asks again.
 */
import { type ObjectKey, objectKey } from '../cluster/rows.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Check } from './check.ts';
import { clusterDomain } from './live/cluster-domain.ts';
import { listCluster, unlistedCluster } from './live/list-cluster.ts';
import { lookAtNodes } from './live/look-at-nodes.ts';
import type { Surroundings } from './live/reach-nodes.ts';
import type { NodeFlows } from './live/sum-flows.ts';
import type { NotLookedAt, Report } from './report/report.ts';
import { runChecks } from './run-checks.ts';
import type { HelmValuesFact } from './site/cluster-facts.ts';
import { isKnown, type Known, knownOr, unknown } from './site/known.ts';
import { readCluster } from './site/read-cluster.ts';
import type { Site, SiteTrouble } from './site/site.ts';

export interface DoctorOptions {
  readonly clock: Clock;
  /** 0 inclusive to 1 exclusive. */
  readonly random: () => number;
  /** Or why there is none. */
  readonly cluster: Known<Pick<KubeClient, 'get'>>;
  /** Asked once the cluster is known, which may have nobody in it. */
  readonly reach: (site: Site) => Surroundings;
  /** Agents that can be asked for flows from here; of nodes that are not among them the process on the node asks. */
  readonly flowSources?: () => Promise<readonly NodeFlows[]>;
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
  const domain = options.domain ?? clusterDomain(empty);
  const run = Math.floor(options.random() * 0x1_0000_0000).toString(16);
  const { flowSources, pod } = options;
  const nodes = await lookAtNodes({
    ...{ clock, site: empty, reaches, left, domain, run },
    patience: Math.max(1, timeoutMs / DEFAULT_TIMEOUT_MS),
    ...(flowSources === undefined ? {} : { flowSources }),
    ...(pod === undefined ? {} : { pod }),
  });
  const lost = nodes.flatMap(({ reach, failed }): readonly NotLookedAt[] =>
    failed === undefined ? [] : [{ node: reach.node, reason: `${reach.how}: ${failed}` }],
  );
  const site: Site = { ...empty, troubles, nodes: nodes.map(({ site: node }) => node) };
  const report = await runChecks(site, options.checks);
  return {
    ...report,
    // That nobody was probed is no proof that all is well.
    exitCode: report.exitCode === 0 && report.pods.length === 0 ? 2 : report.exitCode,
    notLookedAt: [...notLookedAt, ...lost],
    notProbed: [...nodes.flatMap(({ notProbed }) => notProbed), ...missingPod(options, report, site)],
  };
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

/** The one pod that was asked for, when there is nothing to be said of it. */
function missingPod({ pod }: DoctorOptions, report: Report, { cluster }: Site): Report['notProbed'] {
  if (pod === undefined || report.pods.length > 0) return [];
  const row = knownOr(cluster.pods, []).find((one) => objectKey(one) === pod);
  if (row !== undefined && row.phase === 'Running') return [];
  const reason =
    row === undefined ? 'the cluster has no pod of this name' : `it is ${row.phase.toLowerCase()}`;
  return [{ pod, node: row?.nodeName ?? '', reason }];
}
