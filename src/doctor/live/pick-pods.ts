/**
 * Which pods are asked to say how DNS is for them: those that ask the cluster's DNS as others do, a few of each node, and of
 * as many workloads as can be, because pods of one workload have the same policies and the same way.
 */
import { type ObjectKey, objectKey } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import { dnsPicture } from '../picture/dns-picture.ts';
import type { PodFact } from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import type { Site } from '../site/site.ts';

export interface PickedPod {
  readonly key: ObjectKey;
  readonly addresses: readonly Ip[];
}

/** Four probes of each are 48 queries: nothing a node's DNS would feel. */
const PODS_PER_NODE = 12;

/** `only`: this pod and no other, whatever it is. */
export function pickPods(site: Site, node: string, only?: ObjectKey): readonly PickedPod[] {
  const here = knownOr(site.cluster.pods, []).filter((pod) => pod.nodeName === node && isAlive(pod));
  const wanted =
    only === undefined
      ? mixed(here.filter(asksClusterDns(site))).slice(0, PODS_PER_NODE)
      : here.filter((pod) => objectKey(pod) === only);
  return wanted.map((pod) => ({ key: objectKey(pod), addresses: pod.podIPs }));
}

function isAlive({ phase, deleting, podIPs }: PodFact): boolean {
  return phase === 'Running' && !deleting && podIPs.length > 0;
}

/** Servers themselves ask whom they forward to, and a pod with policy Default asks whom its node asks: no cache is theirs. */
function asksClusterDns(site: Site): (pod: PodFact) => boolean {
  const servers = new Set(dnsPicture(site).servers.flatMap(({ pods }) => pods));
  return (pod) =>
    !servers.has(pod) &&
    !pod.hostNetwork &&
    (pod.spec.dnsPolicy.startsWith('ClusterFirst') ||
      (pod.spec.dnsPolicy === 'None' && pod.spec.nameservers.length > 0));
}

/** One of each workload, then a second of each: in the order of their names, so that a run is like the one before. */
function mixed(pods: readonly PodFact[]): readonly PodFact[] {
  const sorted = pods.toSorted((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
  const seen = new Map<string, number>();
  const turns = new Map(
    sorted.map((pod) => {
      const { workload, namespace } = pod;
      const owner =
        workload === undefined ? objectKey(pod) : `${namespace}/${workload.kind}/${workload.name}`;
      const turn = seen.get(owner) ?? 0;
      seen.set(owner, turn + 1);
      return [pod, turn];
    }),
  );
  return sorted.toSorted((a, b) => (turns.get(a) ?? 0) - (turns.get(b) ?? 0));
}
