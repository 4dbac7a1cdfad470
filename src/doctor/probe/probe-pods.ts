/**
 * Probes of whole pods: where each lives, whom it asks for names, and what came of asking. Who answered is not known here:
 * `steps` hold what the pod's own side showed, and whoever follows the tags adds the rest.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { errorText } from '../../fault/app-error.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import type { ProbeStep, ProbeTrail } from '../site/agent-facts.ts';
import { readResolvConf } from '../site/node/resolv-conf.ts';
import { openPodNamespaces, type PodNamespaces } from './pod-namespaces.ts';
import { type ProbeOptions, type ProbeResult, type ProbeTarget, sendProbes } from './send-probes.ts';

export interface ProbedPod {
  readonly key: ObjectKey;
  /** Any of them leads to it. */
  readonly addresses: readonly Ip[];
}

export interface PodProbeOptions extends ProbeOptions {
  readonly node: string;
  /** For pods whose resolv.conf cannot be read; without it they are skipped. */
  readonly nameserver?: Ip;
}

export interface PodProbes {
  readonly trails: readonly ProbeTrail[];
  /** Ports that the probes left from, by tag: what flows are found by that lost their name. */
  readonly sourcePorts: ReadonlyMap<string, number>;
  /** Pods that were not probed, and why. */
  readonly skipped: readonly { readonly key: ObjectKey; readonly reason: string }[];
}

/** At most these: each has a socket per probe, and one node need not be asked by all of its pods. */
const MAX_PODS = 64;

/** Of the node whose namespace this thread is in; it is there again whenever anything is awaited. */
export async function probePods(pods: readonly ProbedPod[], options: PodProbeOptions): Promise<PodProbes> {
  const skipped: { key: ObjectKey; reason: string }[] = pods
    .slice(MAX_PODS)
    .map(({ key }) => ({ key, reason: `only ${MAX_PODS} pods are probed at once` }));
  const targets: ProbeTarget[] = [];
  const namespaces = openPodNamespaces();
  try {
    for (const pod of pods.slice(0, MAX_PODS)) {
      const target = targetOf(pod, namespaces, options.nameserver);
      if (typeof target === 'string') skipped.push({ key: pod.key, reason: target });
      else targets.push(target);
    }
  } finally {
    namespaces.close();
  }
  const all = await sendProbes(targets, options);
  const results = all.filter(({ outcome }) => outcome !== 'not-entered');
  const closed = all.filter(({ outcome }) => outcome === 'not-entered');
  // One of each pod says it for the others.
  for (const [key, { reason = '' }] of new Map(closed.map((each) => [each.key, each])))
    skipped.push({ key, reason });
  return {
    trails: results.map((result) => trailOf(result, options.node)),
    sourcePorts: new Map(results.map(({ tag, sourcePort }) => [tag, sourcePort])),
    skipped,
  };
}

/** Or why there is none. */
function targetOf(
  { key, addresses }: ProbedPod,
  namespaces: PodNamespaces,
  otherwise: Ip | undefined,
): ProbeTarget | string {
  try {
    for (const address of addresses) {
      const namespace = namespaces.find(address);
      if (namespace === undefined) continue;
      if (namespace.hostNetwork) return "it is on the host's network: its packets pass no interface of a pod";
      const nameserver = nameserverIn(namespaces.processes(namespace)) ?? otherwise;
      return nameserver === undefined
        ? 'its resolv.conf names no server that can be read'
        : { key, namespace, nameserver };
    }
    return `no network namespace of this node has ${addresses.join(' or ') || 'its address'}`;
  } catch (error) {
    return errorText(error);
  }
}

/** The first server of the first process that has a file of its own. */
function nameserverIn(pids: readonly number[]): Ip | undefined {
  for (const pid of pids) {
    try {
      const [first] = readResolvConf(pid).nameservers.flatMap((text) => parseIp(text) ?? []);
      if (first !== undefined) return first;
    } catch {
      // It has ended, or has no such file: another process of the pod may have.
    }
  }
  return undefined;
}

const OUTCOMES: Readonly<Record<ProbeResult['outcome'], ProbeTrail['outcome']>> = {
  answered: 'answered',
  refused: 'refused',
  timeout: 'timeout',
  malformed: 'timeout',
  unreachable: 'unreachable',
  denied: 'unreachable',
  'not-entered': 'unreachable',
};

function trailOf(result: ProbeResult, node: string): ProbeTrail {
  const { tag, key, protocol, nameserver, port, outcome, rcode, recursionAvailable, latencyMs } = result;
  const { sourcePort } = result;
  return {
    tag,
    node,
    client: key,
    protocol,
    target: nameserver,
    targetPort: port,
    ...(sourcePort === 0 ? {} : { sourcePort }),
    outcome: OUTCOMES[outcome],
    ...(rcode === undefined ? {} : { rcode }),
    ...(recursionAvailable === undefined ? {} : { recursionAvailable }),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    steps: stepsOf(result),
  };
}

/** Only what the kernel told the pod itself. */
function stepsOf(result: ProbeResult): readonly ProbeStep[] {
  const { peer } = result;
  const own = ownStep(result);
  if (peer === undefined) return own;
  const to = formatAddressPort(peer.address, peer.port);
  const step = { destination: peer.address, destinationPort: peer.port, reason: `to ${to} at connect()` };
  return [{ hook: 'socket', verdict: 'redirected', ...step }, ...own];
}

function ownStep({ outcome, nameserver, port, sent, reason }: ProbeResult): readonly ProbeStep[] {
  if (outcome === 'answered' || outcome === 'timeout') return [];
  const step = { hook: 'pod', destination: nameserver, destinationPort: port };
  if (outcome === 'malformed')
    return [{ ...step, verdict: 'passed', reason: 'what came back is no answer to it' }];
  const verdict = sent ? 'passed' : 'dropped';
  return [{ ...step, verdict, ...(reason === undefined ? {} : { reason }) }];
}
