/** `zerohop agent`: redirects and observes DNS on this node until a signal ends it; packets keep their way then. */
import { type AgentOptions, cleanupNode, MOST_FLOW_PORTS, startAgent } from '../agent/agent.ts';
import { LEAST_ANSWERS, MOST_ANSWERS } from '../agent/answers/answer-limits.ts';
import { DEFAULT_SOCKET } from '../agent/discover.ts';
import { DEFAULT_HEARTBEAT_SOCKET } from '../agent/health/node-health.ts';
import { createLogger, LOG_LEVELS, type LogLevel } from '../agent/logger.ts';
import { CILIUM_SOCKET, DEFAULT_HUBBLE_SOCKET, type HubbleListen } from '../agent/observer/node-hubble.ts';
import { AppError } from '../fault/app-error.ts';
import { MAX_FLOW_CAPACITY } from '../flow/capture/packet-log.ts';
import { type ListenAddress, parseListenAddress } from '../net/listen-address.ts';
import { parsePort } from '../net/port.ts';
import { type Prefix, parsePrefix } from '../net/prefix.ts';
import { keepSmall } from '../serve/process/process-spare.ts';
import type { Command } from './main.ts';
import { collect, countFlag, createProgram, runProgram } from './program.ts';

interface Flags {
  readonly nodeName?: string;
  readonly apiServer?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly socket: string;
  readonly bpfDirectory: string;
  readonly addressMatcherCidrs?: readonly string[];
  readonly policyNamespaces?: readonly string[];
  readonly heartbeatSocket: string;
  readonly probe: string;
  readonly flows: boolean;
  readonly flowCapacity?: number;
  readonly flowPorts?: readonly string[];
  readonly dnsPorts?: readonly string[];
  readonly hubbleSocketPath: string;
  readonly hubbleCiliumSocket?: boolean;
  readonly hubbleListenAddress?: string;
  readonly hubbleDisableTls?: boolean;
  readonly hubbleTlsCertFile?: string;
  readonly hubbleTlsKeyFile?: string;
  readonly hubbleTlsClientCaFiles?: readonly string[];
  readonly metricsAddress?: string;
  readonly observeOnly?: boolean;
  readonly reportStatus: boolean;
  readonly socketRedirect: string;
  readonly cgroupRoot?: string;
  readonly moveSockets?: boolean;
  readonly hookOrder: string;
  readonly delivery: string;
  readonly redirectPermission: string;
  readonly kernelAnswers: string;
  readonly logLevel: string;
  readonly cleanup?: boolean;
}

export const run: Command = async (args) => (await runProgram(agentProgram().action(runAgent), args)) ?? 0;

/** The flags, without what they lead to: tests hold the arguments of manifests against them. */
export function agentProgram(): ReturnType<typeof createProgram> {
  return createProgram(
    'zerohop agent',
    "Redirects this node's DNS to the cache beside it as CiliumLocalRedirectPolicy objects say, and keeps its flows.\n" +
      'Ending it leaves the kernel programs in place; --cleanup takes them away.',
  )
    .option('--node-name <name>', 'spec.nodeName of the pods here (or NODE_NAME)')
    .option(
      '--api-server <url>',
      "http(s)://host:port or unix:///path; without it the kubeconfig, else the pod's account",
    )
    .option('--kubeconfig <file>', 'credentials and address of the API server')
    .option('--context <name>', 'of the kubeconfig')
    .option('--socket <path>', 'where observe, lrp and service find this agent', DEFAULT_SOCKET)
    .option('--bpf-directory <path>', "on a bpffs, this node's alone", '/sys/fs/bpf/zerohop')
    .option(
      '--address-matcher-cidrs <cidr>',
      'what address matchers may ask for; repeated or with commas (all)',
      collect,
    )
    .option(
      '--policy-namespaces <name>',
      'namespaces that may hold policies; repeated or with commas (all)',
      collect,
    )
    .option(
      '--heartbeat-socket <path>',
      'where caches on this node find this agent and tell that they live; off: they are not listened for',
      DEFAULT_HEARTBEAT_SOCKET,
    )
    .option('--probe <on|off>', 'ask the servers that are redirected to whether they answer', 'on')
    .option('--no-flows', 'record nothing')
    .option(
      '--hubble-socket-path <path>',
      "where this node serves Hubble's API, for root alone; off: nowhere",
      DEFAULT_HUBBLE_SOCKET,
    )
    .option(
      '--hubble-cilium-socket',
      `serve it at ${CILIUM_SOCKET} too, where the stock client looks, if no Cilium does`,
    )
    .option(
      '--hubble-listen-address <address>',
      'serve it at ADDRESS:PORT or :PORT as well, for relays; Hubble has 4244',
    )
    .option('--hubble-disable-tls', 'there without TLS: whoever reaches the port reads what pods ask for')
    .option('--hubble-tls-cert-file <file>', 'PEM; read again when it changes')
    .option('--hubble-tls-key-file <file>', 'PEM')
    .option(
      '--hubble-tls-client-ca-files <file>',
      'clients must show a certificate of these; repeated or with commas',
      collect,
    )
    .option('--metrics-address <address>', 'serve metrics at ADDRESS:PORT or :PORT')
    .option(
      '--flow-ports <port>',
      'packets from and to these ports become flows; repeated or with commas, at most 8 (53)',
      collect,
    )
    .option(
      '--dns-ports <port>',
      'those of them whose messages are DNS; repeated or with commas (53, 5353)',
      collect,
    )
    .option('--flow-capacity <n>', 'how many flows are kept: 65535, from 1 to 65535', countFlag)
    .option('--observe-only', 'redirect nothing, whatever policies say')
    .option(
      '--socket-redirect <host|all|off>',
      'whose sockets are redirected: of processes in the network of the host, of pods as well, of nobody',
      'host',
    )
    .option(
      '--move-sockets',
      'when a local backend appears, end connected UDP sockets that bypass it: their processes see an error and connect anew',
    )
    .option('--cgroup-root <path>', "the host's cgroup v2 root; else it is looked for")
    .option(
      '--hook-order <last|first>',
      "behind the other programs on a pod's interface, whose egress policy then sees all packets, or ahead of them",
      'last',
    )
    .option(
      '--delivery <auto|direct|stack>',
      'past the stack and netfilter to the pod, or through it; auto: past it where netfilter holds no policies',
      'auto',
    )
    .option(
      '--redirect-permission <annotated|all>',
      'where others run behind us: redirect pods with annotation zerohop.io/redirect=permit, or all but those with deny',
      'annotated',
    )
    .option(
      '--kernel-answers <entries|off>',
      `let the kernel answer cached names at pods' interfaces, so many of each cache: ${LEAST_ANSWERS} to ${MOST_ANSWERS}`,
      'off',
    )
    .option('--report-status', 'tell the cluster how its policies fare', true)
    .option('--no-report-status', 'tell the cluster nothing: no conditions, events or leases')
    .option('--log-level <level>', LOG_LEVELS.join(', '), 'info')
    .option('--cleanup', 'take the kernel programs away and end');
}

async function runAgent(flags: Flags): Promise<void> {
  const nodeName = flags.nodeName ?? process.env.NODE_NAME ?? '';
  const log = createLogger({ level: logLevel(flags.logLevel), nodeName });
  if (flags.cleanup === true) {
    const cleaned = cleanupNode(flags.bpfDirectory);
    log.info(
      cleaned
        ? `kernel programs taken away, maps unpinned: ${flags.bpfDirectory}`
        : `nothing to take away: there is no ${flags.bpfDirectory}`,
    );
    return;
  }
  if (nodeName === '') throw invalid('--node-name', 'it must say which node this is', nodeName);
  if (!OBJECT_NAME.test(nodeName)) throw invalid('--node-name', 'no node can have this name', nodeName);
  const scope = oneOf('--socket-redirect', SOCKET_SCOPES, flags.socketRedirect);
  if (flags.moveSockets === true && scope === 'off')
    throw invalid('--move-sockets', 'with --socket-redirect off no socket is redirected', 'off');
  const ended = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  const agent = await startAgent({
    nodeName,
    kube: kubeSource(flags),
    pinDirectory: flags.bpfDirectory,
    socketPath: flags.socket,
    log,
    health: {
      ...(flags.heartbeatSocket === 'off' ? {} : { heartbeatSocket: flags.heartbeatSocket }),
      probe: isOn('--probe', flags.probe),
    },
    recordFlows: flags.flows,
    hubble: hubbleListen(flags),
    observeOnly: flags.observeOnly === true,
    reportStatus: flags.reportStatus && flags.observeOnly !== true,
    ...(process.env.POD_NAMESPACE ? { namespace: process.env.POD_NAMESPACE } : {}),
    ...(flags.metricsAddress === undefined
      ? {}
      : { metricsAddress: listenAddress('--metrics-address', flags.metricsAddress) }),
    ...(flags.flowPorts === undefined ? {} : { flowPorts: ports('--flow-ports', flags.flowPorts) }),
    ...(flags.dnsPorts === undefined ? {} : { dnsPorts: ports('--dns-ports', flags.dnsPorts) }),
    ...(flags.flowCapacity === undefined ? {} : { flowCapacity: flowCapacity(flags.flowCapacity) }),
    socketRedirect: {
      scope: flags.observeOnly === true ? 'off' : scope,
      ...(flags.cgroupRoot === undefined ? {} : { cgroupRoot: flags.cgroupRoot }),
    },
    moveSockets: flags.moveSockets === true,
    hookOrder: oneOf('--hook-order', HOOK_ORDERS, flags.hookOrder),
    delivery: oneOf('--delivery', DELIVERIES, flags.delivery),
    redirectPermission: oneOf('--redirect-permission', PERMISSIONS, flags.redirectPermission),
    ...kernelAnswers(flags),
    addressAllowList: limit('--address-matcher-cidrs', flags.addressMatcherCidrs).map(prefix),
    policyNamespaces: limit('--policy-namespaces', flags.policyNamespaces).map(namespaceName),
  });
  keepSmall();
  log.info(`ends after ${await ended}: kernel programs stay, packets keep their way`);
  await agent.close();
}

function kubeSource({ apiServer, kubeconfig, context }: Flags): AgentOptions['kube'] {
  if (context !== undefined && kubeconfig === undefined)
    throw invalid('--context', 'it is of a kubeconfig, and --kubeconfig names none', context);
  if (apiServer !== undefined && kubeconfig !== undefined)
    throw invalid('--api-server', 'the kubeconfig says it too: give one of the two', apiServer);
  if (kubeconfig !== undefined)
    return { kubeconfig: { file: kubeconfig, ...(context === undefined ? {} : { context }) } };
  return apiServer === undefined ? {} : { endpoint: apiServer };
}

/** RFC 1123, as the API server has the names of nodes and namespaces. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

function namespaceName(text: string): string {
  if (!OBJECT_NAME.test(text)) throw invalid('--policy-namespaces', 'no namespace can have this name', text);
  return text;
}

/** A limit that names nothing would be none at all: `--policy-namespaces "$UNSET"` must not open what it was to close. */
function limit(flag: string, parts: readonly string[] | undefined): readonly string[] {
  if (parts?.length === 0) throw invalid(flag, 'it names nothing; leave the flag out for no limit', '');
  return parts ?? [];
}

/** The programs have room for eight. */
function ports(flag: string, texts: readonly string[]): readonly number[] {
  const numbers = texts.map((text) => parsePort(text) ?? refusePort(flag, text));
  if (numbers.length === 0 || numbers.length > MOST_FLOW_PORTS)
    throw invalid(flag, `it is from 1 to ${MOST_FLOW_PORTS} ports`, texts.join(','));
  return numbers;
}

function refusePort(flag: string, text: string): never {
  throw invalid(flag, 'it is no port from 1 to 65535', text);
}

function listenAddress(flag: string, text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined) throw invalid(flag, 'it is ADDRESS:PORT or :PORT', text);
  return address;
}

function hubbleListen(flags: Flags): HubbleListen {
  const address = flags.hubbleListenAddress;
  const tls = tlsFiles(flags);
  if (address === undefined && (tls !== undefined || flags.hubbleDisableTls === true))
    throw invalid('--hubble-listen-address', 'TLS is of this address, and there is none', '');
  if (address !== undefined && (tls === undefined) !== (flags.hubbleDisableTls === true)) {
    const reason = 'it needs either --hubble-tls-cert-file and --hubble-tls-key-file or --hubble-disable-tls';
    throw invalid('--hubble-listen-address', reason, address);
  }
  return {
    ...(flags.hubbleSocketPath === 'off' ? {} : { socketPath: flags.hubbleSocketPath }),
    ...(flags.hubbleCiliumSocket === true ? { ciliumSocket: CILIUM_SOCKET } : {}),
    ...(address === undefined ? {} : { listenAddress: listenAddress('--hubble-listen-address', address) }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function tlsFiles(flags: Flags): HubbleListen['tls'] {
  const { hubbleTlsCertFile: certFile, hubbleTlsKeyFile: keyFile, hubbleTlsClientCaFiles: ca } = flags;
  if (certFile === undefined && keyFile === undefined && ca === undefined) return undefined;
  if (certFile === undefined) throw invalid('--hubble-tls-cert-file', 'TLS needs it', '');
  if (keyFile === undefined) throw invalid('--hubble-tls-key-file', 'TLS needs it', '');
  return { certFile, keyFile, ...(ca && { clientCaFiles: limit('--hubble-tls-client-ca-files', ca) }) };
}

function flowCapacity(count: number): number {
  if (count < 1 || count > MAX_FLOW_CAPACITY)
    throw invalid('--flow-capacity', `it is from 1 to ${MAX_FLOW_CAPACITY}`, String(count));
  return count;
}

function kernelAnswers({ kernelAnswers: text, heartbeatSocket, observeOnly }: Flags) {
  if (text === 'off') return {};
  const entries = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (entries < LEAST_ANSWERS || entries > MOST_ANSWERS)
    throw invalid('--kernel-answers', `it is off, or from ${LEAST_ANSWERS} to ${MOST_ANSWERS} entries`, text);
  if (heartbeatSocket === 'off')
    throw invalid(
      '--kernel-answers',
      'caches fill the answer map, and --heartbeat-socket off finds none',
      text,
    );
  return observeOnly === true ? {} : { kernelAnswers: entries };
}

const SOCKET_SCOPES = ['host', 'all', 'off'] as const;
const HOOK_ORDERS = ['last', 'first'] as const;
const DELIVERIES = ['auto', 'direct', 'stack'] as const;
const PERMISSIONS = ['annotated', 'all'] as const;

function oneOf<T extends string>(flag: string, words: readonly T[], text: string): T {
  const word = words.find((known) => known === text);
  if (word === undefined) throw invalid(flag, `it is one of ${words.join(', ')}`, text);
  return word;
}

function isOn(flag: string, text: string): boolean {
  if (text !== 'on' && text !== 'off') throw invalid(flag, 'it is on or off', text);
  return text === 'on';
}

function logLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text);
  if (level === undefined) throw invalid('--log-level', `it is one of ${LOG_LEVELS.join(', ')}`, text);
  return level;
}

function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw invalid('--address-matcher-cidrs', 'it is not a prefix', text);
  return parsed;
}

function invalid(flag: string, reason: string, received: string): AppError {
  return new AppError(
    'AGENT_OPTION_INVALID',
    `Cannot use ${flag}: ${reason}: received ${JSON.stringify(received)}`,
  );
}
