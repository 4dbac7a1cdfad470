/**
 * What became of each probe: its packets among the flows of all nodes, and where nobody keeps flows, what the client's node
 * remembers of its connection. Fills `steps` (after those that the pod itself told) and `server` of a trail; who answered and
 * was seen by nobody stays without a server, and the verdict says so.
 */
import { EVENT_TYPES, endpointPod, type Flow, flowPorts } from '../../flow/api.ts';
import { isKernelAnswerSummary } from '../../flow/summary.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import { dnsPicture, isLinkLocal } from '../picture/dns-picture.ts';
import { holdersOf } from '../picture/service-interfaces.ts';
import type { ProbeServer, ProbeStep, ProbeTrail } from '../site/agent-facts.ts';
import type { ClusterFacts } from '../site/cluster-facts.ts';
import { knownOr } from '../site/known.ts';
import type { ConntrackEntry, NodeFacts } from '../site/node-facts.ts';
import type { Site } from '../site/site.ts';
import type { NodeProbes, ProbeOrigin } from './node-protocol.ts';

export interface FollowedNode {
  readonly name: string;
  readonly facts: NodeFacts;
  readonly probes: NodeProbes;
}

/** Of every node, its trails. `site` is for the cluster alone; `flows` are those of all nodes, in any order. */
export function followProbes(
  site: Pick<Site, 'cluster'>,
  nodes: readonly FollowedNode[],
  flows: readonly Flow[],
): ReadonlyMap<string, readonly ProbeTrail[]> {
  const servers = serversOf(site.cluster, dnsPicture(site));
  const byOrigin = flowsByOrigin(flows);
  return new Map(
    nodes.map((node) => [
      node.name,
      node.probes.trails.map((trail) => {
        const origin = node.probes.origins[trail.tag];
        return origin === undefined ? trail : follow({ trail, origin, node, servers, byOrigin });
      }),
    ]),
  );
}

interface Servers {
  at(
    address: Ip,
  ): (Omit<ProbeServer, 'address' | 'port'> & { readonly role?: 'cache' | 'cluster' }) | undefined;
  isService(address: Ip): boolean;
}

interface Following {
  readonly trail: ProbeTrail;
  readonly origin: ProbeOrigin;
  readonly node: FollowedNode;
  readonly servers: Servers;
  /** It left its pod for the address it was sent to: who translated it did so later, not at the socket. */
  readonly leftUntranslated: boolean;
}

interface Found extends Omit<Following, 'leftUntranslated'> {
  readonly byOrigin: ReadonlyMap<string, readonly Flow[]>;
}

function follow({ byOrigin, ...found }: Found): ProbeTrail {
  const { trail, origin } = found;
  const flows = origin.addresses.flatMap(
    (address) => byOrigin.get(keyOf(trail.protocol, address, origin.port)) ?? [],
  );
  const leftUntranslated = flows.some((flow) => leavesPod(flow) && flow.IP.destination === trail.target);
  const following: Following = { ...found, leftUntranslated };
  const seen = stepsOf(flows, following);
  const entry = conntrackEntryOf(following);
  const tracked = entry === undefined ? [] : conntrackSteps(entry, following);
  const before = seen.filter(({ hook }) => hook === 'pod' || hook === 'tc' || hook === 'socket');
  const after = seen.filter((step) => !before.includes(step));
  // Who translated it says so better than the socket that was.
  const own = trail.steps.filter(({ hook }) => hook !== 'socket' || !seen.some((step) => step.hook === hook));
  const steps = [...own, ...before, ...tracked, ...after];
  const server = serverOf({ following, flows, entry });
  return { ...trail, steps, ...(server === undefined ? {} : { server }) };
}

function keyOf(protocol: string, address: string, port: number): string {
  return `${protocol} ${address} ${port}`;
}

/** Queries alone: what was sent to a server. Oldest first. */
function flowsByOrigin(flows: readonly Flow[]): ReadonlyMap<string, readonly Flow[]> {
  const found = new Map<string, Flow[]>();
  for (const flow of flows.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))) {
    if (flow.is_reply === true) continue;
    const protocol = flow.l4.TCP === undefined ? 'UDP' : 'TCP';
    const key = keyOf(protocol, flow.IP.source, flowPorts(flow).source_port ?? 0);
    const list = found.get(key);
    if (list === undefined) found.set(key, [flow]);
    else list.push(flow);
  }
  return found;
}

/** Of many packets of one connection, the first that tells something. */
function stepsOf(flows: readonly Flow[], following: Following): readonly ProbeStep[] {
  const steps = new Map<string, ProbeStep>();
  for (const flow of flows) {
    const step = stepOf(flow, following);
    if (step === undefined) continue;
    const key = [flow.node_name, step.hook, step.verdict, step.destination, step.destinationPort].join(' ');
    if (!steps.has(key)) steps.set(key, step);
  }
  return [...steps.values()];
}

function stepOf(flow: Flow, following: Following): ProbeStep | undefined {
  const { servers } = following;
  const destination = parseIp(flow.IP.destination);
  const source = parseIp(flow.IP.source);
  if (destination === undefined || source === undefined) return undefined;
  const place = { source, destination, destinationPort: flowPorts(flow).destination_port ?? 0 };
  const { type, sub_type: point = 0 } = flow.event_type;
  if (type === EVENT_TYPES.drop || flow.verdict === 'DROPPED') {
    const why = flow.drop_reason_desc ?? flow.Summary;
    return {
      ...place,
      hook: 'drop',
      verdict: 'dropped',
      reason: `${why}${elsewhere(flow.node_name, following)}`,
    };
  }
  if (leavesPod(flow)) {
    const at = flow.interface?.name === undefined ? '' : ` by ${flow.interface.name}`;
    return { ...place, hook: 'pod', verdict: 'passed', reason: `left its pod${at}` };
  }
  if (type === EVENT_TYPES.trace && point === TO_ENDPOINT) {
    const server = servers.at(destination);
    const hook = server?.role === 'cache' ? 'cache' : server?.role === 'cluster' ? 'cluster-dns' : 'pod';
    const pod = endpointPod(flow.destination) ?? flow.IP.destination;
    return { ...place, hook, verdict: 'arrived', reason: `at ${pod}${elsewhere(flow.node_name, following)}` };
  }
  return type === EVENT_TYPES.sock ? translationOf(flow, place, following) : undefined;
}

function leavesPod({ event_type }: Flow): boolean {
  return event_type.type === EVENT_TYPES.trace && event_type.sub_type === FROM_ENDPOINT;
}

const TO_ENDPOINT = 0;
const FROM_ENDPOINT = 5;
const POST_FORWARD = 'SOCK_XLATE_POINT_POST_DIRECTION_FWD';
const PRE_FORWARD = 'SOCK_XLATE_POINT_PRE_DIRECTION_FWD';

type Place = Pick<ProbeStep, 'source' | 'destination' | 'destinationPort'>;

function translationOf(flow: Flow, place: Place, following: Following): ProbeStep | undefined {
  const on = elsewhere(flow.node_name, following);
  const hook = following.leftUntranslated ? 'tc' : 'socket';
  if (flow.sock_xlate_point === POST_FORWARD) {
    const to = formatAddressPort(place.destination, place.destinationPort);
    return { ...place, hook, verdict: 'redirected', reason: `to ${to} by zerohop${on}` };
  }
  if (flow.sock_xlate_point === PRE_FORWARD && isKernelAnswerSummary(flow))
    return { ...place, hook, verdict: 'answered', reason: `by the kernel${on}` };
  const fellBack = / fell back: (.+)$/.exec(flow.Summary)?.[1];
  if (flow.sock_xlate_point !== PRE_FORWARD || fellBack === undefined) return undefined;
  return { ...place, hook, verdict: 'fell back', reason: `${fellBack}${on}` };
}

/** Of the client's own node nothing needs to be said. */
function elsewhere(node: string, { trail }: Following): string {
  return node === trail.node ? '' : ` on ${node}`;
}

function conntrackEntryOf({ node, trail, origin }: Following): ConntrackEntry | undefined {
  const { entries = [] } = knownOr(node.facts.conntrack, undefined) ?? {};
  return entries.find(
    (entry) =>
      entry.protocol === trail.protocol &&
      entry.sourcePort === origin.port &&
      origin.addresses.includes(entry.source) &&
      entry.destination === trail.target,
  );
}

function conntrackSteps(entry: ConntrackEntry, { node, trail }: Following): readonly ProbeStep[] {
  const { source, replySource, replySourcePort } = entry;
  if (replySource === trail.target) return [];
  const mode = knownOr(node.facts.proxy, undefined)?.mode ?? 'none';
  const by = mode === 'none' ? 'netfilter' : `kube-proxy (${mode})`;
  const to = formatAddressPort(replySource, replySourcePort);
  return [
    {
      ...{ hook: 'conntrack', source, destination: replySource, destinationPort: replySourcePort },
      verdict: 'dnat',
      reason: `to ${to} by ${by}`,
    },
  ];
}

interface Sightings {
  readonly following: Following;
  readonly flows: readonly Flow[];
  readonly entry: ConntrackEntry | undefined;
}

/** The surest proof first: a packet at the server's own interface. */
function serverOf({ following, flows, entry }: Sightings): ProbeServer | undefined {
  const { trail, node, servers } = following;
  const atKernel = flows.findLast(isKernelAnswerSummary);
  if (atKernel !== undefined) {
    const asked = { address: trail.target, port: trail.targetPort };
    return { ...asked, node: atKernel.node_name, cache: atKernel.node_name === trail.node, kernel: true };
  }
  const arrival = flows.findLast(
    ({ event_type }) => event_type.type === EVENT_TYPES.trace && (event_type.sub_type ?? 0) === TO_ENDPOINT,
  );
  const translated = flows.findLast(({ sock_xlate_point }) => sock_xlate_point === POST_FORWARD);
  for (const flow of [arrival, translated]) {
    const address = flow === undefined ? undefined : parseIp(flow.IP.destination);
    if (flow !== undefined && address !== undefined) {
      const where = flow === arrival ? { node: flow.node_name } : {};
      const pod = endpointPod(flow.destination);
      const port = flowPorts(flow).destination_port ?? 0;
      return serverAt({
        address,
        port,
        following,
        told: { ...where, ...(pod === undefined ? {} : { pod }) },
      });
    }
  }
  const connected = trail.steps.find(({ hook, verdict }) => hook === 'socket' && verdict === 'redirected');
  if (connected !== undefined)
    return serverAt({ address: connected.destination, port: connected.destinationPort, following });
  if (entry !== undefined && entry.replySource !== trail.target)
    return serverAt({ address: entry.replySource, port: entry.replySourcePort, following });
  // An address of the node itself: who has it is judged by what the node shows (picture/observed-server.ts).
  if (isHeldHere(trail.target, node)) return undefined;
  if (servers.isService(trail.target)) return undefined;
  // No other node has one of these: whoever answered is on this one, or took the packets on their way.
  if (isLinkLocal(trail.target)) return undefined;
  return serverAt({ address: trail.target, port: trail.targetPort, following });
}

interface ServerPlace {
  readonly address: Ip;
  readonly port: number;
  readonly following: Following;
  readonly told?: Pick<ProbeServer, 'pod' | 'node'>;
}

function serverAt({ address, port, following, told = {} }: ServerPlace): ProbeServer {
  const { role, ...found } = following.servers.at(address) ?? { cache: false };
  const { node } = following;
  // What a redirect brings to the node's own network is a cache on the host: pods there have no address of their own.
  const hosted = role === undefined && isHeldHere(address, node);
  const server = { address, port, ...found, ...(hosted ? { node: node.name } : {}), ...told };
  return { ...server, cache: hosted || (role === 'cache' && server.node === node.name) };
}

function isHeldHere(address: Ip, { facts }: FollowedNode): boolean {
  return holdersOf(facts.interfaces, address).length > 0;
}

function serversOf(cluster: ClusterFacts, { servers }: ReturnType<typeof dnsPicture>): Servers {
  const services = new Set(knownOr(cluster.services, []).flatMap(({ clusterIPs }) => clusterIPs));
  const roles = new Map(servers.flatMap(({ role, pods }) => pods.map((pod) => [pod, role] as const)));
  const pods = knownOr(cluster.pods, []).filter(
    ({ hostNetwork, phase }) => !hostNetwork && phase !== 'Succeeded',
  );
  const byAddress = new Map(pods.flatMap((pod) => pod.podIPs.map((ip) => [ip, pod] as const)));
  return {
    at(address) {
      const pod = byAddress.get(address);
      if (pod === undefined) return undefined;
      const role = roles.get(pod);
      return {
        pod: `${pod.namespace}/${pod.name}`,
        node: pod.nodeName,
        cache: false,
        ...(role === undefined ? {} : { role }),
      };
    },
    isService: (address) => services.has(address),
  };
}
