/**
 * A cluster that asks: a second source for the page, with state of its own and no packets. Pods on two nodes ask names at
 * steady rates; caches answer from memory or ask on; one pod's sockets are older than the redirect, one node's cache dies
 * and comes back when told. Time goes on by `advance`, and the same seed tells the same story.
 */
import {
  type Endpoint,
  type Flow,
  type GetFlowsRequest,
  type GetFlowsResponse,
  OBSERVATION_SOURCES,
  type ServiceRef,
} from '../../flow/api.ts';
import { formatTime } from '../../flow/time.ts';
import type { ObservedNode, ObserverStatus } from '../../hubble/observer-source.ts';
import type { UiReport, UiSource } from '../ui-source.ts';

export interface FakePod {
  readonly endpoint: Endpoint;
  readonly address: string;
  readonly node: string;
  /** Queries a second. */
  readonly rate: number;
  readonly names: readonly string[];
  /** Its packets are left alone, for this reason or for none. */
  readonly leaves?: 'bypassed' | 'fell-back';
  /** What its cache knows the kernel answers for it. */
  readonly kernel?: true;
}

const VIP = '10.96.0.10';
const KUBE_DNS: ServiceRef = { name: 'kube-dns', namespace: 'kube-system' };
const NODES = ['k8s-ctr', 'k8s-w1'];
const CACHE = (node: string): FakeServer => ({
  endpoint: podEndpoint(
    'kube-system',
    `node-local-dns-${node === 'k8s-ctr' ? '9kq2t' : 'w1x7f'}`,
    'node-local-dns',
  ),
  address: node === 'k8s-ctr' ? '172.20.0.53' : '172.20.1.53',
  node,
});
const COREDNS: FakeServer = {
  endpoint: podEndpoint('kube-system', 'coredns-7db6d8ff4d-ab12c', 'kube-dns'),
  address: '172.20.0.10',
  node: 'k8s-ctr',
};
const UPSTREAM: FakeServer = {
  endpoint: { identity: 2, labels: ['reserved:world'] },
  address: '192.0.2.53',
  node: '',
};

type AskedPacket = Omit<Flow, 'time' | 'uuid' | 'verdict' | 'event_type' | 'Summary'>;

interface FakeServer {
  readonly endpoint: Endpoint;
  readonly address: string;
  readonly node: string;
}

export function podEndpoint(namespace: string, pod_name: string, app: string): Endpoint {
  const label = namespace === 'kube-system' ? `k8s:k8s-app=${app}` : `k8s:app=${app}`;
  return {
    identity: 4096,
    namespace,
    pod_name,
    labels: [label],
    workloads: [{ name: app, kind: 'Deployment' }],
  };
}

export class FakeClusterSource implements UiSource {
  readonly pods: FakePod[];
  readonly failedNodes = new Set<string>();
  findings: UiReport['findings'] = [];
  lost = 0;
  #nowMs: number;
  #seed = 1;
  #uuid = 0;
  readonly #owed = new Map<FakePod, number>();
  readonly #log: GetFlowsResponse[] = [];
  readonly #readers = new Set<() => void>();
  /** Names each cache has answers for. */
  readonly #cached = new Map<string, number>();

  constructor(pods: readonly FakePod[], nowMs: number) {
    this.pods = [...pods];
    this.#nowMs = nowMs;
  }

  /** Lets so much time pass; who follows is told what happened. */
  advance(ms: number): void {
    const until = this.#nowMs + ms;
    const due: { readonly atMs: number; readonly pod: FakePod }[] = [];
    for (const pod of this.pods) {
      let owed = (this.#owed.get(pod) ?? this.#chance()) + (pod.rate * ms) / 1000;
      for (; owed >= 1; owed--) due.push({ atMs: this.#nowMs + this.#chance() * ms, pod });
      this.#owed.set(pod, owed);
    }
    for (const { atMs, pod } of due.sort((a, b) => a.atMs - b.atMs)) this.#ask(pod, atMs);
    this.#nowMs = until;
    // What a reader of the log would hold back anyway.
    if (this.#log.length > 20_000) this.#log.splice(0, this.#log.length - 20_000);
    for (const wake of this.#readers) wake();
  }

  /** One query of a pod, now. */
  ask(pod: FakePod, name: string): void {
    this.#ask(pod, this.#nowMs, name);
    for (const wake of this.#readers) wake();
  }

  async *flows({ number = 0 }: GetFlowsRequest, signal: AbortSignal): AsyncIterable<GetFlowsResponse> {
    const queue = this.#log.slice(this.#log.length - Math.min(Number(number), this.#log.length));
    let told = this.#uuid;
    let wake: () => void = () => undefined;
    const onNews = () => wake();
    this.#readers.add(onNews);
    signal.addEventListener('abort', onNews);
    try {
      while (!signal.aborted) {
        yield* queue.splice(0);
        const fresh = this.#log.filter((response) => Number(response.flow?.uuid ?? 0) > told);
        told = this.#uuid;
        queue.push(...fresh);
        if (queue.length > 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#readers.delete(onNews);
    }
  }

  status(): Promise<ObserverStatus> {
    const numFlows = this.#log.length;
    return Promise.resolve({
      numFlows,
      maxFlows: 20_000,
      seenFlows: this.#uuid,
      uptimeNs: 3_600_000_000_000n,
      version: 'zerohop 0.0.0-fake',
      flowsRate: 0,
      connectedNodes: NODES.length,
    });
  }

  nodes(): Promise<readonly ObservedNode[]> {
    return Promise.resolve(
      NODES.map((name) => ({
        name,
        version: 'zerohop 0.0.0-fake',
        address: '',
        state: 'NODE_CONNECTED' as const,
        uptimeNs: 0n,
        numFlows: 0,
        maxFlows: 0,
        seenFlows: 0,
      })),
    );
  }

  doctor(): Promise<UiReport> {
    const { findings, pods } = this;
    const verdicts = pods.map(({ endpoint, node, leaves }) => ({
      ...{ pod: `${endpoint.namespace}/${endpoint.pod_name}`, node, cause: '' },
      verdict: leaves === undefined ? ('ENTERED' as const) : ('BYPASSED' as const),
    }));
    const exitCode = findings.length === 0 ? 0 : 1;
    return Promise.resolve({ exitCode, findings, pods: verdicts, blind: [], notLookedAt: [], notProbed: [] });
  }

  #ask(pod: FakePod, atMs: number, wanted?: string): void {
    const name = wanted ?? pod.names[Math.floor(this.#chance() ** 2 * pod.names.length)] ?? 'example.com.';
    const cache = CACHE(pod.node);
    const failed = this.failedNodes.has(pod.node);
    const leaves = pod.leaves ?? (failed ? 'fell-back' : undefined);
    const server = leaves === undefined ? cache : COREDNS;
    const query = this.#query(pod, name, atMs);
    if (pod.kernel && leaves === undefined && (this.#cached.get(`${cache.address} ${name}`) ?? 0) > atMs) {
      this.#answerInKernel(query, name, atMs);
      return;
    }
    const packet = { ...query, event_type: { type: 4, sub_type: 5 }, Summary: 'UDP' };
    this.#tell({ ...packet, verdict: 'FORWARDED', trace_observation_point: 'FROM_ENDPOINT' }, atMs);
    if (leaves !== 'bypassed') {
      const why = leaves === undefined ? '' : ' fell back: no-socket, no socket is bound at any backend';
      this.#tell({ ...query, ...sock('PRE'), verdict: 'TRACED', Summary: `UDP${why}` }, atMs);
    }
    const arrived = { ...query, IP: ends(pod.address, server.address), destination: server.endpoint };
    if (leaves === undefined) {
      this.#tell({ ...arrived, ...sock('POST'), verdict: 'TRANSLATED', Summary: 'UDP' }, atMs);
      this.#tell({ ...arrived, event_type: { type: 4 }, verdict: 'FORWARDED', Summary: 'UDP' }, atMs);
    }
    this.#tell(
      { ...(leaves === undefined ? arrived : query), ...question(name), verdict: 'FORWARDED' },
      atMs,
    );
    if (leaves !== undefined)
      this.#tell(
        { ...arrived, node_name: server.node, event_type: { type: 4 }, verdict: 'FORWARDED', Summary: 'UDP' },
        atMs + 0.3,
      );
    const { tookMs, rcode } = this.#serve(server, name, atMs + 0.05);
    const answer = {
      ...arrived,
      ...response(name, rcode, tookMs),
      ...reversed(arrived),
      verdict: 'FORWARDED' as const,
    };
    if (this.#chance() > 0.001) this.#tell(answer, atMs + tookMs);
  }

  #answerInKernel(query: AskedPacket, name: string, atMs: number): void {
    const forward = { verdict: 'FORWARDED', Summary: 'UDP' } as const;
    const back = { ...query, ...reversed(query), is_reply: true };
    this.#tell({ ...query, ...forward, event_type: { type: 4, sub_type: 5 } }, atMs);
    this.#tell({ ...query, ...sock('PRE'), verdict: 'TRACED', Summary: 'UDP answered by the kernel' }, atMs);
    this.#tell({ ...query, ...forward, ...byKernel(question(name)) }, atMs);
    this.#tell({ ...back, ...forward, event_type: { type: 4 } }, atMs);
    const took = 0.0012 + this.#chance() ** 4 * 0.004;
    this.#tell({ ...back, ...forward, ...byKernel(response(name, rcodeOf(name), took)) }, atMs);
  }

  /** How long this server takes, and what it asks for that. */
  #serve(server: FakeServer, name: string, atMs: number): { tookMs: number; rcode: number } {
    const rcode = rcodeOf(name);
    const key = `${server.address} ${name}`;
    const isCache = server !== COREDNS;
    if ((this.#cached.get(key) ?? 0) > atMs)
      return { tookMs: (isCache ? 0.06 : 0.7) + this.#chance() ** 4 * 0.9, rcode };
    this.#cached.set(key, atMs + 4000 + this.#chance() * 20_000);
    const isOwn = name.endsWith('.cluster.local.');
    if (isOwn && !isCache) return { tookMs: 0.7 + this.#chance(), rcode };
    const next = isCache && isOwn ? COREDNS : UPSTREAM;
    const further = this.#further(server, next, name, atMs);
    return { tookMs: further + 0.4, rcode };
  }

  #further(from: FakeServer, to: FakeServer, name: string, atMs: number): number {
    const query = { ...this.#query({ ...from, rate: 0, names: [] }, name, atMs), destination: to.endpoint };
    const sent = {
      ...query,
      IP: ends(from.address, to.address),
      ...question(name),
      verdict: 'FORWARDED' as const,
    };
    const { destination_service: _, ...direct } = sent;
    this.#tell(
      to === COREDNS
        ? { ...direct, destination_service: { ...KUBE_DNS, name: 'kube-dns-upstream' } }
        : direct,
      atMs,
    );
    const tookMs =
      to === COREDNS ? this.#serve(COREDNS, name, atMs + 0.2).tookMs : 6 + this.#chance() ** 6 * 180;
    this.#tell({ ...direct, ...response(name, rcodeOf(name), tookMs), ...reversed(direct) }, atMs + tookMs);
    return tookMs;
  }

  #query(pod: FakePod, name: string, atMs: number) {
    const port = 32_768 + Math.floor(this.#chance() * 28_000);
    const id = Math.floor(this.#chance() * 65_536);
    return {
      IP: ends(pod.address, VIP),
      l4: { UDP: { source_port: port, destination_port: 53 } },
      source: pod.endpoint,
      destination: {},
      destination_service: KUBE_DNS,
      Type: 'L3_L4' as const,
      node_name: pod.node,
      is_reply: false,
      trace_context: { parent: { trace_id: `${pod.address}:${port}/${id}` } },
      atMs,
      name,
    };
  }

  #tell(flow: Omit<Flow, 'time' | 'uuid'> & { atMs?: number; name?: string }, atMs: number): void {
    const { atMs: _, name: __, ...rest } = flow;
    const time = formatTime(BigInt(Math.round(atMs * 1000)) * 1000n);
    this.#log.push({ flow: { ...rest, time, uuid: String(++this.#uuid) }, node_name: rest.node_name, time });
  }

  /** Park and Miller's generator: the same story each time. */
  #chance(): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  }
}

function ends(source: string, destination: string) {
  return { source, destination, ipVersion: 'IPv4' as const };
}

function sock(when: 'PRE' | 'POST') {
  const sock_xlate_point = `SOCK_XLATE_POINT_${when}_DIRECTION_FWD` as const;
  return {
    Type: 'SOCK' as const,
    event_type: { type: 7, sub_type: when === 'PRE' ? 1 : 2 },
    sock_xlate_point,
  };
}

function question(name: string) {
  const dns = { query: name, qtypes: ['A'] };
  return {
    Type: 'L7' as const,
    event_type: { type: 129 },
    l7: { type: 'REQUEST' as const, dns },
    Summary: `DNS Query ${name} A`,
  };
}

function response(name: string, rcode: number, tookMs: number) {
  const dns = { query: name, qtypes: ['A'], ...(rcode === 0 ? { ips: ['192.0.2.1'] } : { rcode }) };
  const l7 = { type: 'RESPONSE' as const, latency_ns: String(Math.round(tookMs * 1e6)), dns };
  return {
    Type: 'L7' as const,
    event_type: { type: 129 },
    l7,
    is_reply: true,
    reply: true as const,
    Summary: 'DNS Answer',
  };
}

function byKernel<F extends Pick<Flow, 'l7'>>(flow: F): F {
  const { l7 } = flow;
  return { ...flow, l7: { ...l7, dns: { ...l7?.dns, observation_source: OBSERVATION_SOURCES.answered } } };
}

function reversed({ source, destination, IP, l4 }: Pick<Flow, 'source' | 'destination' | 'IP' | 'l4'>) {
  const { source_port = 0, destination_port = 0 } = l4.UDP ?? {};
  return {
    source: destination,
    destination: source,
    IP: ends(IP.destination, IP.source),
    l4: { UDP: { source_port: destination_port, destination_port: source_port } },
  };
}

function rcodeOf(name: string): number {
  if (name.startsWith('missing.')) return 3;
  return name.startsWith('broken.') ? 2 : 0;
}
