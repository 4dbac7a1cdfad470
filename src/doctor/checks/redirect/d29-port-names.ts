/**
 * Service, policy and pod must call a port by one name as soon as a policy has several. Where they do not, the policy is
 * accepted and that port is simply left as it was.
 */
import { objectKey, type ServiceRow } from '../../../cluster/rows.ts';
import { parseIp } from '../../../net/ip.ts';
import { explainNoBackend, formatFrontend } from '../../../policy/explain.ts';
import { bareFrontends } from '../../../policy/indexes/service-index.ts';
import { backendsFor, sortOutPods } from '../../../policy/match-backends.ts';
import { matchesByName, matchFrontends } from '../../../policy/match-frontends.ts';
import type { Frontend } from '../../../policy/table.ts';
import { type ValidPolicy, validatePolicy } from '../../../policy/validate.ts';
import type { Check, Finding } from '../../check.ts';
import { dnsPicture } from '../../picture/dns-picture.ts';
import { redirectPolicyYaml } from '../../picture/redirects.ts';
import type { PodFact, WorkloadFact } from '../../site/cluster-facts.ts';
import { knownOr } from '../../site/known.ts';
import { objectName, type Site } from '../../site/site.ts';

export const d29: Check = {
  id: 'D29',
  title: 'Port names of service, policy and pod do not agree',
  pains: ['P3'],
  needs: { cluster: ['services', 'workloads', 'pods', 'localRedirectPolicies'] },
  run(site) {
    return knownOr(site.cluster.localRedirectPolicies, []).flatMap((row) => {
      const valid = validatePolicy(row, {});
      return valid.ok ? judge(site, valid.value) : [];
    });
  },
};

function judge(site: Site, policy: ValidPolicy): readonly Finding[] {
  const { matcher } = policy;
  if (matcher.kind !== 'service' || !matchesByName(policy)) return [];
  const service = knownOr(site.cluster.services, []).find((row) => objectKey(row) === matcher.service);
  if (service === undefined) return [];
  const pods = candidates(site, policy);
  const troubles = matchFrontends(policy, () => frontendsOf(service))
    .filter(({ frontend }) => matters(frontend, policy))
    .flatMap(({ frontend, refusal }) => trouble({ policy, frontend, refusal, pods }));
  return troubles.length === 0 ? [] : [finding(site, { policy, service, troubles })];
}

/** Manifests mostly give a service no address; any will do to compare ports. */
function frontendsOf(service: ServiceRow): readonly Frontend[] {
  const stand = parseIp('192.0.2.53');
  const clusterIPs = service.clusterIPs.length > 0 || stand === undefined ? service.clusterIPs : [stand];
  return bareFrontends({ ...service, clusterIPs });
}

/** That a metrics port of the service is not redirected is as it should be. */
function matters(frontend: Frontend, policy: ValidPolicy): boolean {
  if (frontend.port === 53) return true;
  return policy.ports.backend.some(
    ({ port, protocol }) => port === frontend.port && protocol === frontend.protocol,
  );
}

interface Trial {
  readonly policy: ValidPolicy;
  readonly frontend: Frontend;
  readonly refusal: string | undefined;
  readonly pods: readonly PodFact[];
}

function trouble({ policy, frontend, refusal, pods }: Trial): readonly string[] {
  const name = formatFrontend(frontend);
  if (refusal !== undefined) return [`${name}: ${refusal}`];
  const sorted = sortOutPods(policy, pods);
  if (sorted.usable.length === 0 || backendsFor(policy, frontend, sorted).length > 0) return [];
  return [`${name}: ${explainNoBackend(policy, frontend, sorted)}`];
}

/** Pods of the policy, each as if it were ready; where there are none yet, what workloads will make. */
function candidates({ cluster }: Site, policy: ValidPolicy): readonly PodFact[] {
  const selected = knownOr(cluster.pods, []).filter(
    (pod) => pod.namespace === policy.row.namespace && policy.selects(pod.labels) && !pod.deleting,
  );
  const workloads = knownOr(cluster.workloads, []).filter(
    ({ namespace, template }) => namespace === policy.row.namespace && policy.selects(template.labels),
  );
  const pods = selected.length > 0 ? selected.slice(0, 1) : workloads.slice(0, 1).map(templatePod);
  const stand = ['192.0.2.1', '2001:db8::1'].flatMap((text) => parseIp(text) ?? []);
  return pods.map((pod) => ({ ...pod, ready: true, podIPs: stand }));
}

function templatePod(workload: WorkloadFact): PodFact {
  return {
    ...workload,
    nodeName: '',
    podIPs: [],
    hostNetwork: workload.template.hostNetwork,
    phase: 'Running',
    ready: true,
    deleting: false,
    labels: workload.template.labels,
    containerPorts: workload.template.containers.flatMap(({ ports }) => ports),
    spec: workload.template,
  };
}

interface Mismatch {
  readonly policy: ValidPolicy;
  readonly service: ServiceRow;
  readonly troubles: readonly string[];
}

function finding(site: Site, { policy, service, troubles }: Mismatch): Finding {
  const object = objectName('CiliumLocalRedirectPolicy', policy.row);
  const picture = dnsPicture(site);
  const cache = picture.caches.find(({ spec }) => policy.selects(spec.labels));
  const names = service.ports
    .map(({ name, port, protocol }) => `${name ?? 'no name'} ${port}/${protocol}`)
    .join(', ');
  return {
    id: 'D29',
    severity: 'bypassed',
    title: d29.title,
    object,
    evidence: [...troubles, `service ${objectKey(service)} has ${names}`],
    cause:
      'a policy with several ports finds its backends by name: that of the service port must stand in toPorts of the policy, and ' +
      'a container port of the pods must be called the same; a port where they differ is not redirected',
    fix:
      cache === undefined
        ? {
            kind: 'text',
            text: `Call the ports the same in the service, in ${object} and in the containers it selects`,
          }
        : { kind: 'yaml', text: redirectPolicyYaml(cache, picture) },
  };
}
