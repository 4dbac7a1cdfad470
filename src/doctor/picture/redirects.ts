/** Which policies are meant to send DNS to a cache, and the one that would. */
import { type LocalRedirectPolicyRow, objectKey } from '../../cluster/rows.ts';
import { parseIp } from '../../net/ip.ts';
import { type ValidPolicy, validatePolicy } from '../../policy/validate.ts';
import type { ClusterFacts } from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import { type DnsPicture, type DnsServer, isLinkLocal, nodeCacheSwitches } from './dns-picture.ts';

/** Valid policies that select the cache's pods and aim at what pods ask; whether their ports agree is another question. */
export function policiesFor(
  cache: DnsServer,
  cluster: ClusterFacts,
  picture: DnsPicture,
): readonly ValidPolicy[] {
  return knownOr(cluster.localRedirectPolicies, [])
    .filter((row) => row.namespace === cache.namespace && aimsAtDns(row, cache, picture))
    .flatMap((row) => {
      const valid = validatePolicy(row, {});
      return valid.ok && valid.value.selects(cache.spec.labels) ? [valid.value] : [];
    });
}

/** Valid or not, and whoever it selects: a policy about DNS. */
export function dnsPolicies(cluster: ClusterFacts, picture: DnsPicture): readonly LocalRedirectPolicyRow[] {
  return knownOr(cluster.localRedirectPolicies, []).filter((row) => aimsAtDns(row, undefined, picture));
}

function aimsAtDns(row: LocalRedirectPolicyRow, cache: DnsServer | undefined, picture: DnsPicture): boolean {
  const { serviceMatcher, addressMatcher } = row;
  if (serviceMatcher !== undefined) {
    const key = `${serviceMatcher.namespace}/${serviceMatcher.serviceName}`;
    const { services } = picture;
    if (services.length > 0) return services.some((service) => objectKey(service) === key);
    return /(^|-)(kube-dns|coredns)$/.test(serviceMatcher.serviceName);
  }
  if (addressMatcher === undefined || !addressMatcher.toPorts.some(({ port }) => port === '53')) return false;
  const address = parseIp(addressMatcher.ip.trim());
  if (address === undefined) return false;
  const asked: readonly string[] = picture.services.flatMap(({ clusterIPs }) => clusterIPs);
  const own = cache === undefined ? [] : (nodeCacheSwitches(cache)?.localIps ?? []);
  return asked.includes(address) || own.includes(address) || isLinkLocal(address);
}

/** The policy of the field reports, with the names of this cluster in it. */
export function redirectPolicyYaml(cache: DnsServer, picture: DnsPicture): string {
  const [service] = picture.services;
  const ports = (['UDP', 'TCP'] as const).map((protocol) => {
    const own = service?.ports.find((port) => port.port === 53 && port.protocol === protocol);
    const container = cache.container.ports.find(
      (port) => port.protocol === protocol && (own?.name === undefined || port.name === own.name),
    );
    const number = container?.port ?? 53;
    const name = own?.name ?? (protocol === 'UDP' ? 'dns' : 'dns-tcp');
    return `      - { port: ${quoted(String(number))}, name: ${quoted(name)}, protocol: ${protocol} }`;
  });
  return [
    'apiVersion: cilium.io/v2',
    'kind: CiliumLocalRedirectPolicy',
    'metadata:',
    '  name: nodelocaldns',
    `  namespace: ${quoted(cache.namespace)}`,
    'spec:',
    '  redirectFrontend:',
    '    serviceMatcher:',
    `      serviceName: ${quoted(service?.name ?? 'kube-dns')}`,
    `      namespace: ${quoted(service?.namespace ?? cache.namespace)}`,
    '  redirectBackend:',
    '    localEndpointSelector:',
    '      matchLabels:',
    ...tellingLabels(cache).map(([key, value]) => `        ${quoted(key)}: ${quoted(value)}`),
    '    toPorts:',
    ...ports,
  ].join('\n');
}

/**
 * The labels that say what the pod is; hashes of a rollout would tie the policy to one version. A product's name alone is
 * shared by all of its parts, and would send queries to those that are no cache.
 */
export function tellingLabels({ spec }: DnsServer): readonly (readonly [string, string])[] {
  const all = Object.entries(spec.labels).filter(([key]) => !/hash|generation/.test(key));
  const single = all.find(([key]) => key === 'k8s-app') ?? all.find(([key]) => key === 'app');
  if (single !== undefined) return [single];
  const parts = ['app.kubernetes.io/name', 'app.kubernetes.io/instance', 'app.kubernetes.io/component'];
  const known = all.filter(([key]) => parts.includes(key));
  return known.length > 0 ? known : all;
}

/** JSON is YAML, and no name from the API can break out of it. */
export function quoted(text: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
