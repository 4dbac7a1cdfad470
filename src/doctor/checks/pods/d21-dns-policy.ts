/**
 * Pods on the host's network whose dnsPolicy does not say so: ClusterFirst means nothing there, kubelet gives them the
 * node's own resolver, and no name of the cluster resolves.
 */
import { objectKey } from '../../../cluster/rows.ts';
import type { Check, Finding, Fix } from '../../check.ts';
import { boundServiceIps, type DnsServer, dnsPicture } from '../../picture/dns-picture.ts';
import type { PodSpecFact } from '../../site/cluster-facts.ts';
import { knownOr } from '../../site/known.ts';
import { objectName, type Site } from '../../site/site.ts';
import { patchWorkload, workloadOf } from '../patch-workload.ts';

export const d21: Check = {
  id: 'D21',
  title: "dnsPolicy does not fit the host's network",
  pains: ['P6'],
  needs: { cluster: ['workloads', 'pods'] },
  run(site) {
    return [...clusterFirst(site), ...withHostNet(site)];
  },
};

interface Owner {
  readonly name: string;
  readonly namespace: string;
  readonly spec: PodSpecFact;
}

/** Static pods of the control plane are left out: they ask for no name, and nobody edits them for this. */
function owners({ cluster }: Site): readonly Owner[] {
  const workloads = knownOr(cluster.workloads, []).map((row) => ({
    name: objectName(row.kind, row),
    namespace: row.namespace,
    spec: row.template,
  }));
  const known = new Set(workloads.map(({ name }) => name));
  const alone = knownOr(cluster.pods, []).flatMap((pod) => {
    const { workload, namespace, spec } = pod;
    if ('kubernetes.io/config.mirror' in spec.annotations) return [];
    const name =
      workload === undefined
        ? `Pod ${objectKey(pod)}`
        : objectName(workload.kind, { namespace, name: workload.name });
    return known.has(name) ? [] : [{ name, namespace, spec }];
  });
  return [...new Map([...workloads, ...alone].map((owner) => [owner.name, owner])).values()];
}

function clusterFirst(site: Site): readonly Finding[] {
  const found = owners(site).filter(
    ({ spec }) => spec.hostNetwork && spec.dnsPolicy === 'ClusterFirst' && spec.nameservers.length === 0,
  );
  // Agents of the system mostly live by the node's resolver and know it: they are told of together.
  const ofSystem = found.filter(({ namespace }) => namespace === 'kube-system');
  const others = found.filter((owner) => !ofSystem.includes(owner));
  return [...others.map((owner) => [owner]), ...(ofSystem.length === 0 ? [] : [ofSystem])].flatMap(
    (group) => unresolving(group) ?? [],
  );
}

function unresolving(group: readonly Owner[]): Finding | undefined {
  const [first] = group;
  if (first === undefined) return undefined;
  const { name, namespace } = first;
  const more = group.length > 5 ? ` and ${group.length - 5} more` : '';
  const names = `${group
    .slice(0, 5)
    .map((owner) => owner.name)
    .join(', ')}${more}`;
  return {
    id: 'D21',
    severity: namespace === 'kube-system' ? 'info' : 'warning',
    title: d21.title,
    ...(group.length === 1 ? { object: name } : {}),
    evidence: [
      `${names} ${group.length === 1 ? 'has' : 'have'} hostNetwork: true and dnsPolicy: ClusterFirst, which is also what one gets by saying nothing`,
    ],
    cause:
      "on the host's network ClusterFirst counts as Default: the node's resolv.conf, which knows no service of the cluster",
    fix: namespace === 'kube-system' ? LEFT_ALONE : setPolicy(name, 'ClusterFirstWithHostNet'),
  };
}

/** What makes the network must not wait for names that only the network can resolve. */
const LEFT_ALONE: Fix = {
  kind: 'text',
  text: 'Nothing needs to be done for agents of the network and of the node. Only one that asks for services by name wants dnsPolicy: ClusterFirstWithHostNet',
};

/** Such pods ask the cluster IP from the host itself, where only an interface, a rule or a socket program can redirect. */
function withHostNet(site: Site): readonly Finding[] {
  const picture = dnsPicture(site);
  const cache = picture.caches.find(
    (one) => one.spec.hostNetwork && boundServiceIps(one, picture.services).length > 0 && asksResolvConf(one),
  );
  if (cache === undefined) return [];
  const asking = owners(site).filter(
    ({ spec }) => spec.hostNetwork && spec.dnsPolicy === 'ClusterFirstWithHostNet',
  );
  if (asking.length === 0) return [];
  const own = asking.find(({ name }) => name === cache.name);
  if (own === undefined) return [];
  return [
    {
      id: 'D21',
      severity: 'broken',
      title: 'The node cache resolves names by itself',
      object: cache.name,
      evidence: [`${cache.name} has hostNetwork: true and dnsPolicy: ClusterFirstWithHostNet`],
      cause:
        'its resolv.conf names the cluster IP that it has taken for itself, so what it forwards to /etc/resolv.conf comes back to it',
      fix: setPolicy(cache.name, 'Default'),
    },
  ];
}

/** Or may: a Corefile that is not known is taken for the stock one. */
function asksResolvConf({ corefiles }: DnsServer): boolean {
  const isAsked = ({ text }: { readonly text: string }) =>
    text.includes('/etc/resolv.conf') || text.includes('__PILLAR__UPSTREAM__SERVERS__');
  return corefiles.length === 0 || corefiles.some(isAsked);
}

function setPolicy(object: string, dnsPolicy: string): Fix {
  const workload = workloadOf(object);
  const command = workload === undefined ? undefined : patchWorkload(workload, { dnsPolicy });
  if (command !== undefined) return { kind: 'command', text: command };
  return { kind: 'text', text: `Make ${object} anew with dnsPolicy: ${dnsPolicy} in its spec` };
}
