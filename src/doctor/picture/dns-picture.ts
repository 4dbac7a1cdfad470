/**
 * Who serves DNS here: the cluster's own servers, the caches on the nodes, and the services in front of them. Made of facts
 * alone, once per site; what a check reads instead of guessing for itself by names and images.
 */
import { objectKey, type ServiceRow } from '../../cluster/rows.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { parsePrefix, prefixContains } from '../../net/prefix.ts';
import type {
  ClusterFacts,
  ContainerFact,
  PodFact,
  PodSpecFact,
  WorkloadFact,
} from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import { objectName, type Site } from '../site/site.ts';
import { type CiliumPicture, ciliumPicture } from './cilium.ts';
import { type CorefileFact, corefilesOf } from './corefiles.ts';
import { flagSwitch, flagText } from './go-flags.ts';

export interface DnsServer {
  /** `DaemonSet kube-system/node-local-dns`, or the pod itself where nothing owns it. */
  readonly name: string;
  readonly namespace: string;
  readonly role: 'cache' | 'cluster';
  readonly spec: PodSpecFact;
  readonly container: ContainerFact;
  /** Empty in manifests, and until there are some. */
  readonly pods: readonly PodFact[];
  readonly corefiles: readonly CorefileFact[];
}

export interface DnsPicture {
  /** What pods ask: kube-dns, or whatever stands in for it. */
  readonly services: readonly ServiceRow[];
  /** Other services in front of the same servers: a cache's own way to them. */
  readonly upstreams: readonly ServiceRow[];
  readonly servers: readonly DnsServer[];
  readonly caches: readonly DnsServer[];
  readonly cilium: CiliumPicture;
  /** A zerohop agent is there: it does what policies ask, whoever else does not. */
  readonly zerohop: boolean;
}

export interface NodeCacheSwitches {
  /** As written, split at commas. */
  readonly localIps: readonly string[];
  readonly setupInterface: boolean;
  readonly setupIptables: boolean;
  readonly skipTeardown: boolean;
  readonly upstreamService: string;
}

const pictures = new WeakMap<ClusterFacts, DnsPicture>();

export function dnsPicture(site: Pick<Site, 'cluster'>): DnsPicture {
  const known = pictures.get(site.cluster);
  if (known !== undefined) return known;
  const picture = draw(site.cluster);
  pictures.set(site.cluster, picture);
  return picture;
}

/** Undefined for a server that is not node-cache: it knows none of these. */
export function nodeCacheSwitches({ container }: DnsServer): NodeCacheSwitches | undefined {
  if (!isNodeCache(container)) return undefined;
  const { args } = container;
  return {
    localIps: (flagText(args, 'localip') ?? '').split(',').map((text) => text.trim()),
    setupInterface: flagSwitch(args, 'setupinterface', true),
    setupIptables: flagSwitch(args, 'setupiptables', true),
    skipTeardown: flagSwitch(args, 'skipteardown', false),
    upstreamService: flagText(args, 'upstreamsvc') ?? 'kube-dns',
  };
}

/**
 * Those of `localIps` that are a cluster IP of DNS: with them pods need not know of the cache. Where no such service is
 * known, every address that is not link-local counts.
 */
export function boundServiceIps(server: DnsServer, services: readonly ServiceRow[]): readonly string[] {
  const owned = new Set<string>(services.flatMap(({ clusterIPs }) => clusterIPs));
  const addresses = (nodeCacheSwitches(server)?.localIps ?? []).flatMap((text) =>
    fromEnvironment(text, server.namespace, services).flatMap((one) => parseIp(one) ?? []),
  );
  return addresses.filter((address) => (owned.size > 0 ? owned.has(address) : !isLinkLocal(address)));
}

/** `$(KUBE_DNS_SERVICE_HOST)`: what kubelet puts into the environment for a service of the pod's namespace. */
function fromEnvironment(
  text: string,
  namespace: string,
  services: readonly ServiceRow[],
): readonly string[] {
  const name = /^\$\(([A-Z0-9_]+)_SERVICE_HOST\)$/.exec(text)?.[1];
  if (name === undefined) return [text];
  const service = services.find(
    (row) => row.namespace === namespace && row.name.toUpperCase().replaceAll('-', '_') === name,
  );
  return service?.clusterIPs.slice(0, 1) ?? [];
}

/** RFC 3927, RFC 4291 section 2.5.6. */
export function isLinkLocal(address: Ip): boolean {
  return LINK_LOCAL.some((prefix) => prefixContains(prefix, address));
}

const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].flatMap((text) => parsePrefix(text) ?? []);

const SERVICE_NAMES = ['kube-dns', 'coredns', 'rke2-coredns-rke2-coredns', 'dns-default'];
const CACHE_LABELS = ['node-local-dns', 'nodelocaldns', 'zerohop-cache'];

function draw(cluster: ClusterFacts): DnsPicture {
  const all = knownOr(cluster.services, []).filter(servesDns);
  const services = frontServices(all);
  const upstreams = all.filter(
    (row) => !services.includes(row) && services.some((service) => selectsSame(service, row)),
  );
  const servers = findServers(cluster, services);
  return {
    services,
    upstreams,
    servers,
    caches: servers.filter(({ role }) => role === 'cache'),
    cilium: ciliumPicture(cluster),
    zerohop: runsZerohopAgent(cluster),
  };
}

function servesDns(row: ServiceRow): boolean {
  return row.ports.some(({ port }) => port === 53) && !row.headless;
}

function frontServices(all: readonly ServiceRow[]): readonly ServiceRow[] {
  for (const name of SERVICE_NAMES) {
    const found = all.filter((row) => row.name === name);
    if (found.length > 0) return found;
  }
  return [];
}

/** One of the selectors says all that the other says: distributions add labels to one of the two services. */
function selectsSame(a: ServiceRow, b: ServiceRow): boolean {
  const [small, large] = [a.selector, b.selector].sort(
    (x, y) => Object.keys(x).length - Object.keys(y).length,
  );
  const words = Object.entries(small ?? {});
  return (
    a.namespace === b.namespace && words.length > 0 && words.every(([key, value]) => large?.[key] === value)
  );
}

function findServers(cluster: ClusterFacts, services: readonly ServiceRow[]): readonly DnsServer[] {
  const pods = knownOr(cluster.pods, []);
  const configMaps = knownOr(cluster.configMaps, []);
  const taken = new Set<PodFact>();
  const found: DnsServer[] = [];
  const add = (
    owner: { name: string; namespace: string; spec: PodSpecFact },
    own: readonly PodFact[],
  ): void => {
    const served = roleOf(owner.spec, owner.namespace, services);
    if (served === undefined) return;
    for (const pod of own) taken.add(pod);
    const corefiles = corefilesOf(served.container, owner.namespace, configMaps);
    found.push({ ...owner, ...served, pods: own, corefiles });
  };
  for (const workload of knownOr(cluster.workloads, [])) {
    const { namespace, template: spec } = workload;
    add({ name: objectName(workload.kind, workload), namespace, spec }, podsOf(workload, pods));
  }
  for (const [name, own] of groupByOwner(pods.filter((pod) => !taken.has(pod)))) {
    const [one] = own;
    if (one !== undefined) add({ name, namespace: one.namespace, spec: one.spec }, own);
  }
  return found;
}

function podsOf({ kind, name, namespace }: WorkloadFact, pods: readonly PodFact[]): readonly PodFact[] {
  return pods.filter(
    (pod) => pod.namespace === namespace && pod.workload?.kind === kind && pod.workload.name === name,
  );
}

/** Pods whose owner was not listed still tell its name; those without one are alike by their labels. */
function groupByOwner(pods: readonly PodFact[]): ReadonlyMap<string, readonly PodFact[]> {
  const groups = new Map<string, { readonly name: string; readonly pods: PodFact[] }>();
  for (const pod of pods) {
    const owner = pod.workload;
    const name =
      owner === undefined
        ? objectName('Pod', pod)
        : objectName(owner.kind, { namespace: pod.namespace, name: owner.name });
    const alike = Object.keys(pod.labels).length > 0 ? JSON.stringify([pod.namespace, pod.labels]) : name;
    const key = owner === undefined ? alike : name;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { name, pods: [pod] });
    else group.pods.push(pod);
  }
  return new Map([...groups.values()].map((group) => [group.name, group.pods]));
}

function roleOf(
  spec: PodSpecFact,
  namespace: string,
  services: readonly ServiceRow[],
): Pick<DnsServer, 'role' | 'container'> | undefined {
  const cache = spec.containers.find(isNodeCache);
  if (cache !== undefined) return { role: 'cache', container: cache };
  const server = spec.containers.find(isDnsContainer);
  if (server === undefined) return undefined;
  if (CACHE_LABELS.includes(spec.labels['k8s-app'] ?? '')) return { role: 'cache', container: server };
  const served = services.some(
    (row) =>
      row.namespace === namespace &&
      Object.keys(row.selector).length > 0 &&
      Object.entries(row.selector).every(([key, value]) => spec.labels[key] === value),
  );
  return served ? { role: 'cluster', container: server } : undefined;
}

function isNodeCache({ image, args }: ContainerFact): boolean {
  return (
    /node-?cache/i.test(imageName(image)) ||
    args.slice(0, 3).includes('node-cache') ||
    flagText(args, 'localip') !== undefined
  );
}

function isDnsContainer({ image, args, ports }: ContainerFact): boolean {
  const named =
    /coredns|kube-?dns|unbound|dnsmasq/i.test(imageName(image)) || args.slice(0, 2).includes('dns');
  return named || ports.some(({ port }) => port === 53);
}

/** Without registry, folder, tag and digest. */
function imageName(image: string): string {
  return (
    (image.split('@')[0] ?? '')
      .replace(/:[^/]*$/, '')
      .split('/')
      .at(-1) ?? ''
  );
}

function runsZerohopAgent({ workloads, pods }: ClusterFacts): boolean {
  const specs = [
    ...knownOr(workloads, []).map(({ template }) => template),
    ...knownOr(pods, []).map(({ spec }) => spec),
  ];
  return specs.some(({ containers }) =>
    containers.some(
      ({ image, args }) => imageName(image) === 'zerohop' && args.slice(0, 2).includes('agent'),
    ),
  );
}

/** `kube-system/kube-dns`, or what it is mostly called where no service is known. */
export function serviceName(picture: DnsPicture): string {
  const [service] = picture.services;
  return service === undefined ? 'kube-system/kube-dns' : objectKey(service);
}
