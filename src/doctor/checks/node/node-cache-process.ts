/**
 * The node caches that run on a node, by what they were started with: stock node-cache, ours, and whatever takes its flags.
 * Only what the node itself shows is used, so that a cache nobody has an object for is judged too.
 */
import { type Ip, parseIp } from '../../../net/ip.ts';
import { flagSwitch, flagText } from '../../picture/go-flags.ts';
import { knownOr } from '../../site/known.ts';
import type { NodeFacts, ProcessFact, RuleFact, SocketFact } from '../../site/node-facts.ts';

export interface NodeCacheProcess {
  readonly pid: number;
  /** `node-cache (pid 4711)`, for evidence. */
  readonly label: string;
  readonly localIps: readonly Ip[];
  readonly interfaceName: string;
  readonly setupInterface: boolean;
  readonly setupIptables: boolean;
  readonly hasPidfile: boolean;
  /** Rules and interface are looked after once in this time, and by the original not before. */
  readonly syncSeconds: number;
  /** The original, and not ours, which sets up before it serves. */
  readonly stock: boolean;
  readonly startedAtMs?: number;
}

const DEFAULT_SYNC_SECONDS = 60;
/** What the original is told to listen on when nobody says otherwise, and what AKS gives its own. */
const USUAL_ADDRESSES: readonly string[] = [
  '169.254.20.10',
  '169.254.25.10',
  '169.254.10.10',
  '169.254.10.11',
];

/**
 * Those in the node's network, whose interface and rules are the node's; none where processes are not known. What a cache in
 * a pod was told to set up concerns its pod alone.
 */
export function nodeCaches(facts: Pick<NodeFacts, 'processes'>): readonly NodeCacheProcess[] {
  return knownOr(facts.processes, [])
    .filter((process) => process.inPod !== true && isNodeCache(process))
    .map(describe);
}

function isNodeCache({ command, args }: ProcessFact): boolean {
  const isNamed = command === 'node-cache' || /(^|\/)node-cache$/.test(args[0] ?? '');
  return isNamed || (flagText(args, 'localip') !== undefined && args.includes('node-cache'));
}

function describe({ pid, command, args, startedAtMs }: ProcessFact): NodeCacheProcess {
  const stock = !args.slice(0, 4).some((arg) => /zerohop/.test(arg));
  return {
    pid,
    label: `${stock ? 'node-cache' : command} (pid ${pid})`,
    localIps: (flagText(args, 'localip') ?? '').split(',').flatMap((text) => parseIp(text.trim()) ?? []),
    interfaceName: flagText(args, 'interfacename') ?? 'nodelocaldns',
    setupInterface: flagSwitch(args, 'setupinterface', true),
    setupIptables: flagSwitch(args, 'setupiptables', true),
    hasPidfile: (flagText(args, 'pidfile') ?? '') !== '',
    syncSeconds: syncSeconds(flagText(args, 'syncinterval')),
    stock,
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
  };
}

/** A Go duration whose number counts as seconds: `60ns` is a minute, and so is a plain 60. */
function syncSeconds(text: string | undefined): number {
  const match = /^(\d+)(?:ns)?$/.exec(text ?? '');
  const seconds = Number(match?.[1] ?? DEFAULT_SYNC_SECONDS);
  return seconds > 0 ? seconds : DEFAULT_SYNC_SECONDS;
}

/** Addresses that only a node cache has on an interface. */
export function isCacheAddress(address: Ip, facts: Pick<NodeFacts, 'processes'>): boolean {
  return (
    USUAL_ADDRESSES.includes(address) || nodeCaches(facts).some(({ localIps }) => localIps.includes(address))
  );
}

/** Whether somebody takes DNS queries to the address, by one protocol or the other. */
export function listensOn(sockets: readonly SocketFact[], address: Ip): boolean {
  const all = address.includes(':') ? ['::'] : ['0.0.0.0', '::'];
  return sockets.some((socket) => socket.port === 53 && [address, ...all].includes(socket.address));
}

/** Packets to the address are not tracked, and so nobody can translate it. */
export function isNotrackOf(rule: RuleFact, address: Ip): boolean {
  const isQuery = rule.destination === address && rule.destinationPort === 53;
  return rule.verdict === 'notrack' && isQuery && /prerouting/i.test(rule.chain);
}
