/**
 * The agent's composition root, wired by hand: API server → snapshot → service table → kernel maps, and back up: ring
 * buffer → flows → ring → API. Closing it leaves the pins, so packets keep their way (design invariant 2); only `cleanup`
 * takes them away. Starts without an API server and without the policy's CRD: both are waited for.
 */
import type { PodRow } from '../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import type { Datapath } from '../datapath/datapath.ts';
import type { HookOrder } from '../datapath/hooks/hook-set.ts';
import { MOST_EVENT_PORTS, openDatapath, removeDatapath } from '../datapath/open-datapath.ts';
import type { SocketRedirect } from '../datapath/socket/open-socket-path.ts';
import { PacketLog } from '../flow/capture/packet-log.ts';
import { createFlowRecorder, type FlowRecorder } from '../flow/flow-recorder.ts';
import { Turns } from '../flow/turns.ts';
import { createKubeClient } from '../kube/client.ts';
import { type ClusterWatch, startClusterWatch } from '../kube/cluster-watch.ts';
import type { KubeConfigSource } from '../kube/config/config.ts';
import { loadKubeConfig } from '../kube/config/load-kube-config.ts';
import type { Ip } from '../net/ip.ts';
import type { ListenAddress } from '../net/listen-address.ts';
import type { Prefix } from '../net/prefix.ts';
import { createDeriver } from '../policy/deriver.ts';
import { listFrontends } from '../policy/list-frontends.ts';
import type { Readable } from '../store/store.ts';
import { type Clock, systemClock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { agentFamilies } from './agent-metrics.ts';
import { answersStatus } from './answers/answers-report.ts';
import { startApiServer } from './api-server.ts';
import { type HealthOptions, NodeHealth } from './health/node-health.ts';
import { type MetricsPage, startMetricsPage } from './metrics-page.ts';
import { withoutRedirects } from './observe-only.ts';
import { AgentEventLog } from './observer/agent-event-log.ts';
import { KnownCaches } from './observer/known-caches.ts';
import { NodeEvents } from './observer/node-events.ts';
import { type HubbleListen, type NodeHubble, startNodeHubble } from './observer/node-hubble.ts';
import { PolicyLoop } from './policy-loop.ts';
import { realisations, serviceRows } from './realisation.ts';
import { chooseDelivery, type Delivery, type DeliveryWish } from './redirect/delivery.ts';
import { otherBackends } from './redirect/other-backends.ts';
import type { RedirectPermission } from './redirect/permission.ts';
import { findPolicyEngines } from './redirect/policy-engines.ts';
import { createRemotePods } from './remote-pods.ts';
import { type NodeReport, reportOf } from './report/node-report.ts';
import { type StatusReport, startStatusReport } from './report/status-report.ts';
import { describeStatus } from './status.ts';
import { PROGRAM_VERSION } from './version.ts';
import { POLICY_NEEDS } from './wanted-state.ts';
import type { LrpListing } from './wire.ts';

/** How many ports `flowPorts` may name. */
export const MOST_FLOW_PORTS = MOST_EVENT_PORTS;

export interface AgentOptions {
  /** spec.nodeName of this node's pods. */
  readonly nodeName: string;
  readonly kube: KubeConfigSource;
  /** A directory on a bpffs, this node's alone. */
  readonly pinDirectory: string;
  readonly socketPath: string;
  readonly log: Log;
  /** False: no packet events, no flows. Default: true. */
  readonly recordFlows?: boolean;
  /** How many flows are kept; default and most 65535. */
  readonly flowCapacity?: number;
  /** Packets from and to these ports become flows, at most `MOST_FLOW_PORTS`; default 53. */
  readonly flowPorts?: readonly number[];
  /** Ports at which messages are DNS; default 53 and 5353. */
  readonly dnsPorts?: readonly number[];
  /** Where Hubble's API is served; absent: nowhere. */
  readonly hubble?: HubbleListen;
  /** Where metrics are served; absent: nowhere. */
  readonly metricsAddress?: ListenAddress;
  /** What address matchers may ask for; absent allows all that no service owns. */
  readonly addressAllowList?: readonly Prefix[];
  /** Namespaces whose policies count; absent or empty allows all. */
  readonly policyNamespaces?: readonly string[];
  /** How the servers that packets are redirected to are watched; absent: by their sockets alone. */
  readonly health?: HealthOptions;
  /** Packets are looked at and never redirected, whatever policies say. Default: false. */
  readonly observeOnly?: boolean;
  /** Whose sockets are redirected, beside the packets of pods. Absent: nobody's. */
  readonly socketRedirect?: SocketRedirect;
  /** End connected UDP sockets that bypass a redirect when it becomes active, so that they connect anew. Default: false. */
  readonly moveSockets?: boolean;
  /** Where our programs hang among others on a pod's interface. Default: `last`. */
  readonly hookOrder?: HookOrder;
  /** How redirected packets get to their pod. Default: `auto`. */
  readonly delivery?: DeliveryWish;
  /** Which pods are redirected where our programs run ahead of others. Default: `annotated`. */
  readonly redirectPermission?: RedirectPermission;
  /** Entries of each cache's part of the answer map, `LEAST_ANSWERS` to `MOST_ANSWERS`; absent: the kernel answers nothing. */
  readonly kernelAnswers?: number;
  /** False: nothing is ever written to the API server. Default: true. */
  readonly reportStatus?: boolean;
  /** Where the leases of the report lie; default kube-system. */
  readonly namespace?: string;
}

export interface Agent {
  close(): Promise<void>;
}

/** What the agent needs to know of the cluster: pods of its own node alone, nodes by a look now and then. */
const KINDS: readonly KindName[] = [
  'services',
  'endpointSlices',
  'pods',
  'nodes',
  'namespaces',
  'localRedirectPolicies',
];

/** Without answers from the kernel nobody reads more. */
function watchedKinds({ kernelAnswers }: Pick<AgentOptions, 'kernelAnswers'>): readonly KindName[] {
  return kernelAnswers === undefined ? KINDS : [...KINDS, 'networkPolicies'];
}

const DELIVERED = { direct: 'past the stack', stack: 'through the stack' } as const;

/** Throws `AppError` for what an operator can mend: credentials, a kernel that lacks something, a socket in use. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { log } = options;
  const clock = systemClock;
  const client = createKubeClient(loadKubeConfig(options.kube));
  const delivery = chooseDelivery(options.delivery ?? 'auto', await findPolicyEngines());
  log.info(`redirected packets are delivered ${DELIVERED[delivery.mode]}: ${delivery.reason}`);
  const datapath = openDatapath({
    pinDirectory: options.pinDirectory,
    log,
    clock,
    delivery: delivery.mode,
    ...(options.flowPorts === undefined ? {} : { eventPorts: options.flowPorts }),
    ...(options.hookOrder === undefined ? {} : { hookOrder: options.hookOrder }),
    ...(options.kernelAnswers === undefined ? {} : { answerEntries: options.kernelAnswers }),
    ...(options.socketRedirect && {
      socketRedirect: {
        ...options.socketRedirect,
        // Asked by a timer, when there is a snapshot.
        ...(options.moveSockets === true && { moveFrom: (place) => otherBackends(snapshot.get(), place) }),
      },
    }),
  });
  const watch = startClusterWatch({
    ...{ client, kinds: watchedKinds(options), log, clock, random: Math.random },
    podFieldSelector: `spec.nodeName=${options.nodeName}`,
    pollNodes: true,
  });
  const remotePods = createRemotePods({ client, clock });
  const { snapshot, missing } = watch;
  const closeRims = () => {
    watch.close();
    remotePods.close();
    client.close();
    datapath.close();
  };
  try {
    const { nodeName, namespace = 'kube-system', reportStatus = true } = options;
    const reporting = { client, namespace, nodeName, clock, random: Math.random, log };
    const startReport = (report: () => NodeReport | undefined): StatusReport =>
      startStatusReport({
        ...reporting,
        nodeUid: () => snapshot.get().nodes.get(`/${nodeName}`)?.uid,
        report,
      });
    const node = await startNode({
      ...options,
      ...{ datapath, snapshot, missing, clock, remotePod: remotePods.find, chosenDelivery: delivery },
      failing: () => failingKinds(watch),
      ...(reportStatus ? { startReport } : {}),
    });
    log.info(`agent of ${options.nodeName} serves ${options.socketPath}, watches ${client.server}`);
    return { close: () => node.close().finally(closeRims) };
  } catch (error) {
    closeRims();
    throw error;
  }
}

function failingKinds(watch: ClusterWatch): readonly KindName[] {
  return [...watch.stats()].flatMap(([kind, { failing, missing }]) => (failing && !missing ? [kind] : []));
}

export interface NodeOptions
  extends Omit<AgentOptions, 'kube' | 'pinDirectory' | 'reportStatus' | 'namespace'> {
  /** For the status; absent where nothing is delivered. */
  readonly chosenDelivery?: Delivery;
  readonly datapath: Datapath;
  readonly snapshot: Readable<ClusterSnapshot>;
  readonly missing: Readable<ReadonlySet<KindName>>;
  /** Kinds that cannot be followed at the moment; absent: none. */
  readonly failing?: () => readonly KindName[];
  readonly clock: Clock;
  /** What is known of a pod of another node; absent: its name alone, if it is behind a service. */
  readonly remotePod?: (address: Ip) => PodRow | undefined;
  /** Starts telling the cluster what the given function says; absent: nobody is told. */
  readonly startReport?: (report: () => NodeReport | undefined) => StatusReport;
}

/**
 * The agent between its two rims; `datapath` and `snapshot` stay the caller's. Tests give it the fakes. The socket comes
 * first: a second agent of the same node must not get as far as the kernel.
 */
export async function startNode(options: NodeOptions): Promise<Agent> {
  const { nodeName, datapath, snapshot, missing, clock, log } = options;
  const { addressAllowList = [], policyNamespaces = [] } = options;
  const packets = (options.recordFlows ?? true) ? new PacketLog(options.flowCapacity) : undefined;
  const caches = new KnownCaches(datapath.inherited().map(({ frontend }) => frontend));
  const done = new AgentEventLog({ nodeName, clock });
  const events = new NodeEvents({ log: done, datapath, snapshot, clock });
  const loop = new PolicyLoop({
    ...{ nodeName, snapshot, datapath, clock, log },
    onTable(table) {
      caches.add(table.redirects);
      events.policies(table);
    },
    onApplied() {
      events.applied();
      health?.answers.sync();
    },
    redirectPermission: options.redirectPermission ?? 'annotated',
    ...(options.kernelAnswers !== undefined && {
      answers: { delivery: options.chosenDelivery?.mode ?? 'direct' },
    }),
    createDeriver: () => {
      const deriver = createDeriver({ nodeName, addressAllowList, policyNamespaces });
      return options.observeOnly === true ? withoutRedirects(deriver) : deriver;
    },
  });
  const known = {
    nodeName,
    startedAtMs: clock.nowMs(),
    packets,
    datapath,
    snapshot,
    missing,
    loop,
    kinds: watchedKinds(options),
    failing: options.failing ?? (() => []),
  };
  let report: StatusReport | undefined;
  let health: NodeHealth | undefined;
  let recorder: FlowRecorder | undefined;
  let metrics: MetricsPage | undefined;
  let hubble: NodeHubble | undefined;
  const turns = new Turns();
  const started = Promise.withResolvers<void>();
  const listing = (): LrpListing => {
    const { table } = loop;
    return { node: nodeName, table, realised: realisations(table, datapath.frontends()) };
  };
  const reportStatus = () => (report === undefined ? {} : { report: report.status() });
  const api = await startApiServer({
    ...{ socketPath: options.socketPath, log },
    lrp: () => ({ ...listing(), ...reportStatus() }),
    lb: () => ({ node: nodeName, rows: datapath.dump() }),
    answers: async () => ({
      node: nodeName,
      ...((await health?.answers.list()) ?? { entries: [], left: 0 }),
    }),
    service: () => ({
      node: nodeName,
      rows: serviceRows(
        listFrontends(snapshot.get(), loop.table),
        datapath.frontends(),
        datapath.inherited(),
      ),
    }),
    async status() {
      // Whoever waits for the socket looks here for the other places next.
      await started.promise;
      return {
        ...describeStatus({ ...known, followers: hubble?.streams ?? 0 }),
        ...(hubble && { hubble: { targets: hubble.targets } }),
        ...(options.chosenDelivery && { delivery: options.chosenDelivery }),
        ...reportStatus(),
        ...(health && {
          health: health.report(),
          answers: answersStatus(health.answers.report(), {
            ...{ datapath, refusals: loop.answerRefusals },
            addressesOf: (pod) => snapshot.get().pods.get(pod)?.podIPs ?? [],
          }),
        }),
      };
    },
  });
  try {
    health =
      options.health &&
      new NodeHealth({
        ...{ ...options.health, datapath, clock, log, random: Math.random },
        kernelAnswers: options.kernelAnswers ?? 'off',
        answering: () => loop.answering,
      });
    recorder =
      packets &&
      createFlowRecorder({
        ...{ nodeName, version: PROGRAM_VERSION, snapshot, datapath, packets, clock },
        ...(options.chosenDelivery && { delivery: options.chosenDelivery.mode }),
        ...(health === undefined ? {} : { own: health.ownPackets }),
        ...(options.dnsPorts === undefined ? {} : { dnsPorts: options.dnsPorts }),
        ...(options.flowPorts === undefined ? {} : { flowPorts: options.flowPorts }),
        ...(options.remotePod === undefined ? {} : { remotePod: options.remotePod }),
      });
    if (options.hubble !== undefined) {
      hubble = await startNodeHubble({
        ...options.hubble,
        ...{ nodeName, snapshot, turns, clock, log, events: done },
        ...(packets && recorder && { recorded: { packets, flows: recorder.flows } }),
        narrowing: {
          cachesOf: (node) => (node === nodeName ? caches.now : undefined),
          ...(options.dnsPorts === undefined ? {} : { dnsPorts: options.dnsPorts }),
        },
      });
    }
    if (options.metricsAddress !== undefined) {
      const families = () =>
        agentFamilies({ datapath, recorder, packets, answers: health?.answers.report() });
      metrics = await startMetricsPage({ address: options.metricsAddress, families, clock, log });
    }
  } catch (error) {
    health?.close();
    await Promise.all([api.close(), hubble?.close()]);
    throw error;
  }
  recorder?.start();
  started.resolve();
  loop.start();
  const ready = () =>
    POLICY_NEEDS.every((kind) => snapshot.get().synced.has(kind)) && loop.table.generation > 0;
  report = options.startReport?.(() => (ready() ? reportOf(listing()) : undefined));
  return {
    async close() {
      loop.close();
      events.close();
      recorder?.close();
      health?.close();
      await Promise.all([report?.close(), api.close(), hubble?.close(), metrics?.close()]);
      await loop.settled();
    },
  };
}

/** Takes this node's programs out of the kernel: packets go their ordinary way. False when there was nothing. */
export function cleanupNode(pinDirectory: string): boolean {
  return removeDatapath(pinDirectory);
}
