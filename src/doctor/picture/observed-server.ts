/**
 * Who answered a probe whose packets nobody recorded, by what the client's node shows: connection tracking, who listens on
 * the address that was asked, whose programs and policies would take it. This is how caches of other makers are judged:
 * stock node-cache in both of its ways, those of AKS and GKE, an unbound or dnsmasq on the node, and Cilium's own redirect.
 * Where two stories fit, there is no server and so no verdict.
 */
import { objectKey } from '../../cluster/rows.ts';
import type { Ip } from '../../net/ip.ts';
import { validatePolicy } from '../../policy/validate.ts';
import type { ProbeServer, ProbeStep, ProbeTrail } from '../site/agent-facts.ts';
import type { PodFact } from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import type { ConntrackEntry, NodeFacts } from '../site/node-facts.ts';
import type { Site } from '../site/site.ts';
import { isLoopback } from './caches-on-node.ts';
import { type DnsServer, dnsPicture } from './dns-picture.ts';
import { policiesFor } from './redirects.ts';
import { type Rewriter, rewritersOf } from './rewriters.ts';
import { holdersOf } from './service-interfaces.ts';

export interface ObservedServer {
  readonly server: ProbeServer;
  /** What it was seen by, to be put behind the steps that are known. */
  readonly step: ProbeStep;
}

export interface ObservingNode {
  readonly name: string;
  readonly facts: NodeFacts;
}

/** Of an answered probe; `node` is the client's, and its connection tracking was read after the probe. */
export function observedServer(
  site: Site,
  node: ObservingNode,
  trail: ProbeTrail,
): ObservedServer | undefined {
  if (trail.outcome !== 'answered') return undefined;
  const view: View = { site, node, trail, isService: isServiceAddress(site, trail.target) };
  const entry = entryOf(view);
  if (entry !== undefined && entry.replySource !== trail.target) return translated(view, entry);
  const taker = view.isService ? takerOf(view) : undefined;
  if (taker !== undefined) return byRedirect(view, taker) ?? elsewhere(view, taker);
  // An entry that leads to the address itself: it was not translated, and whoever has the address answered.
  return listener(view);
}

interface View {
  readonly site: Site;
  readonly node: ObservingNode;
  readonly trail: ProbeTrail;
  readonly isService: boolean;
}

function isServiceAddress({ cluster }: Pick<Site, 'cluster'>, target: Ip): boolean {
  return knownOr(cluster.services, []).some(({ clusterIPs }) => clusterIPs.includes(target));
}

/** The newest of the client's that fits; where the port is not known, any of its own to the address. */
function entryOf({ site, node, trail }: View): ConntrackEntry | undefined {
  const addresses = new Set(podsOf(site).find((pod) => objectKey(pod) === trail.client)?.podIPs ?? []);
  return knownOr(node.facts.conntrack, undefined)?.entries.find(
    ({ protocol, source, sourcePort, destination, destinationPort }) =>
      protocol === trail.protocol &&
      destination === trail.target &&
      destinationPort === trail.targetPort &&
      (addresses.size === 0 ? trail.sourcePort !== undefined : addresses.has(source)) &&
      (trail.sourcePort === undefined || sourcePort === trail.sourcePort),
  );
}

function podsOf({ cluster }: Pick<Site, 'cluster'>): readonly PodFact[] {
  return knownOr(cluster.pods, []).filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed');
}

function translated(
  { site, node, trail }: View,
  { source, replySource, replySourcePort }: ConntrackEntry,
): ObservedServer {
  const pod = podsOf(site).find(({ podIPs, hostNetwork }) => !hostNetwork && podIPs.includes(replySource));
  const isCache = pod !== undefined && cacheOf(site, pod) !== undefined && pod.nodeName === node.name;
  const held =
    pod === undefined && isHeld(node.facts, replySource) && listens(node.facts, replySource, trail);
  const where =
    pod === undefined ? (held ? { node: node.name } : {}) : { pod: objectKey(pod), node: pod.nodeName };
  return {
    server: { address: replySource, port: replySourcePort, ...where, cache: isCache || held },
    step: {
      ...{
        hook: 'conntrack',
        source,
        destination: replySource,
        destinationPort: replySourcePort,
        verdict: 'dnat',
      },
      reason: `connection tracking on ${node.name}: ${source} asked ${trail.target}, ${replySource} answers`,
    },
  };
}

function cacheOf(site: Site, pod: PodFact): DnsServer | undefined {
  return dnsPicture(site).caches.find(({ pods }) => pods.includes(pod));
}

/** Somebody other than kube-proxy's rules who takes packets for a service before the host's own sockets and rules. */
function takerOf({ node, trail }: View): Rewriter | undefined {
  return rewritersOf(node.facts, trail.target).find(({ kind }) => kind !== 'netfilter');
}

/** Cilium's own redirect, or GKE's by its RedirectService: told to, with a backend on the node. */
function byRedirect({ site, node, trail }: View, { owner, who }: Rewriter): ObservedServer | undefined {
  if (owner !== 'cilium') return undefined;
  const picture = dnsPicture(site);
  for (const cache of picture.caches) {
    const pod = cache.pods.find(
      ({ nodeName, ready, deleting }) => nodeName === node.name && ready && !deleting,
    );
    const [address] = pod?.podIPs ?? [];
    if (pod === undefined || pod.hostNetwork || address === undefined) continue;
    const policy = policiesFor(cache, site.cluster, picture).find(({ row }) => validatePolicy(row, {}).ok);
    const told = picture.cilium.redirects === true && policy !== undefined;
    if (!told && !isRedirectedByGke(site)) continue;
    const why = told ? `policy ${policy.key}` : "GKE's RedirectService";
    return {
      server: { address, port: 53, pod: objectKey(pod), node: node.name, cache: true },
      step: {
        ...{ hook: 'socket', destination: address, destinationPort: 53, verdict: 'redirected' },
        reason: `${trail.target} to ${objectKey(pod)} by ${why}, as ${who} is told; its own tables were not read`,
      },
    };
  }
  return undefined;
}

function isRedirectedByGke({ cluster }: Site): boolean {
  return knownOr(cluster.definitions, []).includes('redirectservices.networking.gke.io');
}

function elsewhere({ node, trail }: View, { kind, who, evidence }: Rewriter): ObservedServer {
  const { target: address, targetPort: port } = trail;
  return {
    server: { address, port, cache: false },
    step: {
      ...{ hook: kind, destination: address, destinationPort: port, verdict: 'dnat' },
      reason: `by ${who}, on ${node.name} (${evidence[0] ?? 'it is there'}), to any server of the service`,
    },
  };
}

/** The node itself has the address, and a process of it takes queries there. */
function listener({ site, node, trail }: View): ObservedServer | undefined {
  const { target: address, targetPort: port } = trail;
  const holder = holderOf(node.facts, address);
  const socket = socketFor(node.facts, address, trail);
  if (holder === undefined || socket === undefined) return undefined;
  const hosted = dnsPicture(site)
    .caches.flatMap(({ pods }) => pods)
    .find(({ nodeName, hostNetwork, deleting }) => hostNetwork && nodeName === node.name && !deleting);
  const pod = hosted === undefined ? {} : { pod: objectKey(hosted) };
  const who = socket.command === undefined ? 'a process' : `${socket.command} (pid ${socket.pid ?? '?'})`;
  return {
    server: { address, port, node: node.name, ...pod, cache: true },
    step: {
      ...{ hook: 'cache', destination: address, destinationPort: port, verdict: 'arrived' },
      reason: `${who} listens on ${socket.address}:${port} of ${node.name}, which has ${address} on ${holder}; nothing was seen to translate it`,
    },
  };
}

function holderOf({ interfaces }: NodeFacts, address: Ip): string | undefined {
  if (isLoopback(address)) return undefined;
  return holdersOf(interfaces, address)[0]?.name;
}

function isHeld(facts: NodeFacts, address: Ip): boolean {
  return holderOf(facts, address) !== undefined;
}

function listens(facts: NodeFacts, address: Ip, trail: ProbeTrail): boolean {
  return socketFor(facts, address, trail) !== undefined;
}

/** The kernel prefers the socket of the very address. */
function socketFor({ sockets }: NodeFacts, address: Ip, { protocol, targetPort }: ProbeTrail) {
  const bound = knownOr(sockets, []).filter((one) => one.protocol === protocol && one.port === targetPort);
  const all = address.includes(':') ? ['::'] : ['0.0.0.0', '::'];
  return bound.find((one) => one.address === address) ?? bound.find((one) => all.includes(one.address));
}

/** The same site, where probes whose server nobody saw have the one that the node shows. */
export function withObservedServers(site: Site): Site {
  const nodes = site.nodes.map((node) => {
    const { probes } = node.agent;
    if (!('value' in probes) || probes.value.every(({ server }) => server !== undefined)) return node;
    const value = probes.value.map((trail) => {
      if (trail.server !== undefined) return trail;
      const observed = observedServer(site, node, trail);
      if (observed === undefined) return trail;
      const known = trail.steps.some(
        ({ hook, verdict }) => hook === observed.step.hook && verdict === observed.step.verdict,
      );
      return {
        ...trail,
        server: observed.server,
        steps: known ? trail.steps : [...trail.steps, observed.step],
      };
    });
    return { ...node, agent: { ...node.agent, probes: { value } } };
  });
  return { ...site, nodes };
}
