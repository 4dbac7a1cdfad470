/**
 * The doctor with everything that this machine has to offer it: an API server, nodes that can be looked at, kubectl. For the
 * command and for the page's server alike.
 */
import { accessSync, constants, existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { discoverAgents } from '../../agent/discover.ts';
import { readHelmValues } from '../../doctor/lint/helm-values.ts';
import { openCluster } from '../../doctor/live/open-cluster.ts';
import { reachNodes, type Ways } from '../../doctor/live/reach-nodes.ts';
import type { NodeFlows } from '../../doctor/live/sum-flows.ts';
import type { Report } from '../../doctor/report/report.ts';
import { runDoctor } from '../../doctor/run-doctor.ts';
import { type HubbleClient, openHubble } from '../../hubble/client.ts';
import { agentSocket, LAB_PATHS, NODES, namespacePath, nodeNamespace } from '../../lab/topology.ts';
import { parseIp } from '../../net/ip.ts';
import { systemClock } from '../../telemetry/clock.ts';

export interface DoctorFlags {
  readonly node?: string;
  /** `namespace/name`. */
  readonly pod?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly apiServer?: string;
  readonly helmValues?: readonly string[];
  readonly clusterDomain?: string;
  readonly timeoutSeconds?: number;
}

const PROGRAM = fileURLToPath(new URL('../boot/zerohop.mjs', import.meta.url));
const DOCTOR_NODE = [process.execPath, PROGRAM, 'doctor-node'];

export async function doctorOfThisMachine(flags: DoctorFlags): Promise<Report> {
  const { node, pod, helmValues, clusterDomain, timeoutSeconds } = flags;
  const cluster = openCluster({
    ...flags,
    ...(existsSync(LAB_PATHS.api) ? { labSocket: LAB_PATHS.api } : {}),
  });
  const ways: Ways = {
    here: { command: DOCTOR_NODE, names: ownNames(), addresses: ownAddresses() },
    ...(cluster.isLab ? { lab: labCommands() } : {}),
    ...(isInPath('kubectl') ? { kubectl: ['kubectl', ...cluster.kubectlFlags] } : {}),
    ...(node === undefined ? {} : { node }),
    ...(pod === undefined ? {} : { pod }),
  };
  const clients: HubbleClient[] = [];
  try {
    return await runDoctor({
      clock: systemClock,
      random: Math.random,
      cluster: cluster.client,
      reach: (site) => reachNodes(site, ways),
      flowSources: () => findFlows(clients),
      ...(pod === undefined ? {} : { pod }),
      ...(clusterDomain === undefined ? {} : { domain: clusterDomain }),
      ...(helmValues === undefined ? {} : { helmValues: readHelmValues(helmValues) }),
      ...(timeoutSeconds === undefined ? {} : { timeoutMs: timeoutSeconds * 1000 }),
    });
  } finally {
    for (const client of clients) client.close();
    if ('value' in cluster.client) cluster.client.value.close();
  }
}

/** Of the agents of this machine; what is opened is the caller's to close. Throws where there is none. */
async function findFlows(opened: HubbleClient[]): Promise<readonly NodeFlows[]> {
  const agents = await discoverAgents({ onSilent: () => undefined });
  return agents.flatMap(({ node, hubble }) => {
    if (hubble === undefined) return [];
    const client = openHubble(hubble);
    opened.push(client);
    return [{ node, flows: client.flows }];
  });
}

/** The nodes of a lab are namespaces: their process is started inside. */
function labCommands(): ReadonlyMap<string, readonly string[]> {
  return new Map(
    NODES.map((node) => [
      node.name,
      [
        ...['nsenter', `--net=${namespacePath(nodeNamespace(node))}`, ...DOCTOR_NODE, '--shares-machine'],
        ...['--server', `unix://${agentSocket(node)}`, '--hook-directory', `${LAB_PATHS.bpf}/${node.name}`],
      ],
    ]),
  );
}

/** A kubelet goes by the host's name, unless it was told another; an agent's pod is told the node's. */
function ownNames(): readonly string[] {
  const host = hostname();
  const short = host.split('.', 1)[0] ?? host;
  return [...new Set([process.env.NODE_NAME ?? host, host, short].map((name) => name.toLowerCase()))];
}

function ownAddresses() {
  const all = Object.values(networkInterfaces()).flatMap((rows) => rows ?? []);
  return all.filter(({ internal }) => !internal).flatMap(({ address }) => parseIp(address) ?? []);
}

function isInPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return directory !== '';
    } catch {
      return false;
    }
  });
}
