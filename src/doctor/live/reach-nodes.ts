/**
 * Which nodes can be looked at from here, and by what command each: this machine when it is one of them, the nodes of a lab,
 * and by `kubectl exec` those that have an agent's pod. Of the rest the report says what to run.
 */
import { objectKey } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import { shellWord } from '../checks/shell-word.ts';
import type { NotLookedAt } from '../report/report.ts';
import type { PodFact } from '../site/cluster-facts.ts';
import { isKnown, knownOr } from '../site/known.ts';
import type { Site } from '../site/site.ts';
import type { NodeReach } from './node-process.ts';

export interface Ways {
  /** What starts the process beside us, and how this machine may be called by the cluster. */
  readonly here: {
    readonly command: readonly string[];
    readonly names: readonly string[];
    readonly addresses: readonly Ip[];
  };
  /** Nodes that are namespaces of this machine: their command by their name. This machine itself is then none of them. */
  readonly lab?: ReadonlyMap<string, readonly string[]>;
  /** `kubectl` with its flags for this cluster; absent where there is none. */
  readonly kubectl?: readonly string[];
  /** Only this node. */
  readonly node?: string;
  /** Only the node of this pod, `namespace/name`. */
  readonly pod?: string;
}

export interface Surroundings {
  readonly reaches: readonly NodeReach[];
  readonly notLookedAt: readonly NotLookedAt[];
}

/** Each is a process here and a connection to its kubelet. */
const MOST_BY_KUBECTL = 16;

export function reachNodes(site: Site, ways: Ways): Surroundings {
  const reaches: NodeReach[] = [];
  const notLookedAt: NotLookedAt[] = [];
  let byKubectl = 0;
  for (const node of wantedNodes(site, ways)) {
    const direct = ways.lab?.get(node) ?? (isHere(site, node, ways) ? ways.here.command : undefined);
    if (direct !== undefined) {
      reaches.push({ node, how: ways.lab?.has(node) === true ? 'the lab' : 'here', command: direct });
      continue;
    }
    const agent = agentOn(site, node);
    if (agent === undefined || ways.kubectl === undefined || byKubectl >= MOST_BY_KUBECTL) {
      notLookedAt.push(isUnknownNode(site, node) ?? whyNot(node, agent, ways));
      continue;
    }
    byKubectl++;
    const { namespace, name, container } = agent;
    const exec = [...['-n', namespace, 'exec', '-i', name, '-c', container], '--', 'zerohop', 'doctor-node'];
    reaches.push({ node, how: `kubectl exec ${namespace}/${name}`, command: [...ways.kubectl, ...exec] });
  }
  return { reaches, notLookedAt };
}

/** Without a list of nodes this machine is looked at alone, under its own name. */
function wantedNodes({ cluster }: Site, { here, lab, node, pod }: Ways): readonly string[] {
  if (node !== undefined) return [node];
  if (pod !== undefined) {
    const found = knownOr(cluster.pods, []).find((row) => objectKey(row) === pod);
    if (found !== undefined) return [found.nodeName];
    // That it is not there is said of the pod, not of every node.
    if (isKnown(cluster.pods)) return [];
  }
  if (lab !== undefined && !isKnown(cluster.nodes)) return [...lab.keys()];
  if (!isKnown(cluster.nodes)) return here.names.slice(0, 1);
  return cluster.nodes.value.map(({ name }) => name).sort();
}

function isHere({ cluster }: Site, node: string, { here, lab }: Ways): boolean {
  if (lab !== undefined) return false;
  if (here.names.includes(node)) return true;
  const row = knownOr(cluster.nodes, []).find(({ name }) => name === node);
  return row?.internalIPs.some((ip) => here.addresses.includes(ip)) ?? false;
}

interface AgentPod {
  readonly namespace: string;
  readonly name: string;
  readonly container: string;
}

/**
 * A doctor's own pod (deploy/kustomize/overlays/doctor) may look into pods; an agent's sees what an agent sees. Only one on
 * the host's network sees the node, and only one that the operator trusts may be there: anybody who may make a pod can give
 * it our labels, and would tell us what to find and what to run.
 */
function agentOn({ cluster }: Site, node: string): AgentPod | undefined {
  const here = knownOr(cluster.pods, []).filter(
    (pod) => pod.nodeName === node && pod.phase === 'Running' && !pod.deleting && pod.hostNetwork,
  );
  for (const containerOf of [doctorContainer, agentContainer]) {
    for (const pod of here) {
      const container = containerOf(pod);
      if (container !== undefined) return { namespace: pod.namespace, name: pod.name, container };
    }
  }
  return undefined;
}

function doctorContainer({ spec }: PodFact): string | undefined {
  return isOurs(spec, 'doctor') ? spec.containers[0]?.name : undefined;
}

/** By its labels, for a registry of one's own may have given the image another name. */
function agentContainer({ spec }: PodFact): string | undefined {
  const labelled = isOurs(spec, 'agent');
  return spec.containers.find(
    ({ image, args }) =>
      (labelled || /(^|\/)zerohop([:@]|$)/.test(image)) && args.slice(0, 2).includes('agent'),
  )?.name;
}

function isOurs({ labels }: PodFact['spec'], component: string): boolean {
  return (
    labels['app.kubernetes.io/name'] === 'zerohop' && labels['app.kubernetes.io/component'] === component
  );
}

/** A name that was mistyped. */
function isUnknownNode({ cluster }: Site, node: string): NotLookedAt | undefined {
  const names = knownOr(cluster.nodes, []).map(({ name }) => name);
  if (names.length === 0 || names.includes(node)) return undefined;
  const some = names.slice(0, 5).join(', ');
  return {
    node,
    reason: `the cluster has no node of this name; it has ${some}${names.length > 5 ? ' ...' : ''}`,
  };
}

function whyNot(node: string, agent: AgentPod | undefined, { kubectl }: Ways): NotLookedAt {
  if (agent === undefined)
    return { node, reason: 'it is another machine and has no agent; run zerohop doctor on it, as root' };
  const [namespace, pod, container] = [agent.namespace, agent.name, agent.container].map(shellWord);
  const command = `kubectl -n ${namespace} exec ${pod} -c ${container} -- zerohop doctor`;
  const reason =
    kubectl === undefined
      ? 'it is another machine, and there is no kubectl here to reach it with'
      : `no more than ${MOST_BY_KUBECTL} nodes are looked at at once`;
  return { node, reason, command };
}
