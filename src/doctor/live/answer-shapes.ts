/**
 * What an answer from a node must look like before anybody reads it. The process there may be of another version, or the
 * node somebody else's by now: an answer of another shape costs that node its verdict, and no other node anything. Texts may
 * say what they like; whoever prints them makes them harmless.
 */
import { parseIp } from '../../net/ip.ts';

type Shape = (value: unknown) => boolean;

const text: Shape = (value) => typeof value === 'string';
const number: Shape = (value) => typeof value === 'number';
const flag: Shape = (value) => typeof value === 'boolean';
const ip: Shape = (value) => typeof value === 'string' && parseIp(value) === value;

const oneOf =
  (...words: readonly string[]): Shape =>
  (value) =>
    typeof value === 'string' && words.includes(value);

const list =
  (of: Shape): Shape =>
  (value) =>
    Array.isArray(value) && value.every(of);

const maybe =
  (of: Shape): Shape =>
  (value) =>
    value === undefined || of(value);

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const row =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, of]) => of(value[name]));

const table =
  (of: Shape): Shape =>
  (value) =>
    isRecord(value) && Object.values(value).every(of);

/** `Known`. */
const part =
  (of: Shape): Shape =>
  (value) =>
    isRecord(value) && ('value' in value ? of(value.value) : text(value.unknown));

/** What `{ value: undefined }` is once it was JSON. */
const nothing: Shape = (value) => isRecord(value) && Object.keys(value).length === 0;

const protocol = oneOf('UDP', 'TCP');
const resolvConf = row({ path: text, nameservers: list(text), search: list(text), options: list(text) });
const counters = table(number);

const RULE = row({
  backend: oneOf('nft', 'iptables-legacy'),
  family: oneOf('ip', 'ip6', 'inet'),
  ...{ table: text, chain: text, verdict: text, text, destination: maybe(ip), source: maybe(ip) },
  ...{ protocol: maybe(protocol), destinationPort: maybe(number), sourcePort: maybe(number) },
  ...{ comment: maybe(text), packets: maybe(number) },
});

const ENTRY = row({
  ...{ protocol, source: ip, sourcePort: number, destination: ip, destinationPort: number },
  ...{ replySource: ip, replySourcePort: number, unreplied: flag, timeoutSeconds: number },
});

const PROCESS = row({
  ...{ pid: number, command: text, args: list(text), inPod: maybe(flag), startedAtMs: maybe(number) },
  memory: maybe(row({ used: number, limit: maybe(number) })),
  resolvConf: maybe(resolvConf),
});

const FACTS = row({
  interfaces: part(list(row({ name: text, ifindex: number, kind: text, up: flag, addresses: list(ip) }))),
  rules: part(list(RULE)),
  proxy: part(
    row({
      mode: oneOf('iptables', 'nftables', 'ipvs', 'none'),
      ...{ evidence: text, ipvsAddresses: list(ip) },
    }),
  ),
  sockets: part(list(row({ protocol, address: ip, port: number, pid: maybe(number), command: maybe(text) }))),
  conntrack: part(
    row({
      ...{ count: maybe(number), max: maybe(number), counters, entries: list(ENTRY), entriesOmitted: number },
      before: maybe(row({ counters, agoMs: number })),
    }),
  ),
  resolvConf: part(resolvConf),
  kernel: part(row({ release: text, features: table(flag) })),
  hooks: part(list(row({ place: text, owners: list(row({ kind: text, name: text, id: number })) }))),
  processes: part(list(PROCESS)),
  xtablesLock: part(row({ path: text, holders: list(number), waiting: list(number) })),
});

/** Who answered is for us to say. */
const unsaid: Shape = (value) => value === undefined;

const TRAIL = row({
  ...{ tag: text, node: text, client: text, protocol, target: ip, targetPort: number, server: unsaid },
  outcome: oneOf('answered', 'refused', 'timeout', 'unreachable'),
  ...{ sourcePort: maybe(number), rcode: maybe(text), recursionAvailable: maybe(flag) },
  latencyMs: maybe(number),
  steps: list(
    row({
      ...{ hook: text, verdict: text, destination: ip, destinationPort: number },
      ...{ source: maybe(ip), reason: maybe(text) },
    }),
  ),
});

const PROBES = row({
  trails: list(TRAIL),
  origins: table(row({ addresses: list(ip), port: number })),
  skipped: list(row({ key: text, reason: text })),
});

const KERNEL_ANSWERS = row({
  ...{ on: flag, problem: maybe(text), served: list(row({ address: ip, port: number })) },
  ...{ answered: number, of: number, refused: list(row({ pod: text, reason: text })) },
});

const STATUS = row({
  ...{ version: text, startedAtMs: number, redirects: flag, redirected: number },
  ...{ fellBack: counters, datapathError: maybe(text), kernelAnswers: maybe(KERNEL_ANSWERS) },
});

const endpoint = row({ namespace: maybe(text), pod_name: maybe(text) });
const ports = maybe(row({ source_port: maybe(number), destination_port: maybe(number) }));

const FLOW = row({
  ...{ time: text, node_name: text, Summary: text, source: endpoint, destination: endpoint },
  IP: row({ source: text, destination: text }),
  event_type: row({ type: maybe(number), sub_type: maybe(number) }),
  l4: row({ UDP: ports, TCP: ports }),
  interface: maybe(row({ name: maybe(text) })),
});

const LATENCY = maybe(row({ p50: number, p99: number, count: number }));

const SUMMARY = row({
  ...{ sinceMs: number, untilMs: number, queries: number, searchMisses: number, truncated: number },
  ...{ truncatedWithoutEdns: number, truncatedAndDropped: number, retries: number, lost: number },
  ...{ pairedQueries: number, pairsToServices: number, parallelQueries: number, unanswered: maybe(number) },
  ...{ latencyMs: LATENCY, serverLatencyMs: LATENCY, comparedLatencyMs: LATENCY },
  ...{ droppingPods: list(text), retryingPods: list(row({ pod: text, retries: number })) },
  topSuffixes: list(row({ suffix: text, misses: number })),
  topNames: list(row({ name: text, queries: number })),
  topPods: list(row({ pod: text, queries: number, searchMisses: number })),
  upstreamPeaks: list(row({ address: ip, perSecond: number })),
});

const outcome = row({ outcome: text, latencyMs: maybe(number), rcode: maybe(text), reason: maybe(text) });

export const isLookAnswer: Shape = row({
  facts: FACTS,
  probes: part(PROBES),
  status: (value) => nothing(value) || part(STATUS)(value),
  policies: part(list(isRecord)),
});

export const isFlowsAnswer: Shape = row({
  flows: part(list(FLOW)),
  upstreams: part(
    list(row({ address: ip, port: number, udp: outcome, tcp: outcome, tcpResetAfterMs: maybe(number) })),
  ),
  summary: maybe(part(SUMMARY)),
});
