/**
 * Sends tagged queries from inside pods and says what each came to. All are on their way together, so that many silent pods
 * take no longer than one. The thread waits in slices of a few milliseconds: what arrives is seen at once, and everything
 * else gets its turn in between. Nothing is changed anywhere, and every descriptor is closed again.
 */
import { setImmediate } from 'node:timers/promises';
import { rcodeName } from '../../dns/codes.ts';
import { FrameSplitter, frameMessage } from '../../dns/frames.ts';
import type { Message } from '../../dns/message.ts';
import type { Name } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { MSG_DONTWAIT } from '../../sys/datagram-batch.ts';
import { errnoName } from '../../sys/errors.ts';
import { openLibc } from '../../sys/libc.ts';
import type { NetNamespace } from '../../sys/netns/namespaces.ts';
import { PollSet } from '../../sys/poll-set.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { openPodSockets, type PodSocketSpec } from './pod-sockets.ts';
import type { SocketPeer } from './socket-peers.ts';
import { answerTo, probeTag, type TaggedQuery, taggedQuery } from './tagged-query.ts';

export interface ProbeTarget {
  /** To know the pod's results by. */
  readonly key: string;
  readonly namespace: NetNamespace;
  /** Of the pod's resolv.conf. */
  readonly nameserver: Ip;
  readonly port?: number;
}

export interface ProbeOptions {
  /** `cluster.local.` or what the cluster calls itself. */
  readonly domain: Name;
  /** 1 to 16 hexadecimal digits, another for each run. */
  readonly run: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** 0 to 65535: message ids. */
  readonly randomId: () => number;
  /** Per target; each from a port of its own. Default 3, and one by TCP. */
  readonly udp?: number;
  readonly tcp?: number;
  /** For all of them together; at most 10,000, which is also the default. */
  readonly timeoutMs?: number;
}

/**
 * `denied`: the kernel did not let it out of the pod (EPERM). `malformed`: something came that is no answer to it.
 * `not-entered`: there was no way into the pod, which tells nothing of its DNS.
 */
export type ProbeOutcome =
  | 'answered'
  | 'refused'
  | 'timeout'
  | 'unreachable'
  | 'denied'
  | 'malformed'
  | 'not-entered';

export interface ProbeResult {
  readonly key: string;
  readonly tag: string;
  readonly name: Name;
  readonly protocol: 'UDP' | 'TCP';
  readonly nameserver: Ip;
  readonly port: number;
  /** 0 when there was none. */
  readonly sourcePort: number;
  readonly outcome: ProbeOutcome;
  /** Whom its socket was connected to instead, by a program at connect(). */
  readonly peer?: SocketPeer;
  /** It has left: false when the pod could not even send it. */
  readonly sent: boolean;
  readonly latencyMs?: number;
  /** Mnemonic, of an answer. */
  readonly rcode?: string;
  readonly recursionAvailable?: boolean;
  /** What the kernel said, or what is wrong with the pod. */
  readonly reason?: string;
}

const MOST_MS = 10_000;
const SLICE_MS = 2;
const DNS_PORT = 53;
/** Of one socket before the others have their turn: who never stops sending must not stop the clock. */
const MOST_AT_ONCE = 64;
const LARGEST = 65_537;

interface Flight {
  readonly target: ProbeTarget;
  readonly query: TaggedQuery;
  readonly protocol: 'UDP' | 'TCP';
  readonly fd: number;
  readonly sourcePort: number;
  readonly peer?: SocketPeer;
  readonly startMs: number;
  readonly frames: FrameSplitter;
  sent: boolean;
  heardNonsense: boolean;
}

/** In the order of targets, UDP first. Pods that are gone by now, or may not be entered, tell so in `reason`. */
export async function sendProbes(
  targets: readonly ProbeTarget[],
  options: ProbeOptions,
): Promise<readonly ProbeResult[]> {
  const results = new Map<string, ProbeResult>();
  const flights: Flight[] = [];
  const tags: string[] = [];
  try {
    for (const target of targets) start(target, options, { results, flights, tags });
    await fly(flights, results, options);
  } finally {
    for (const { fd } of flights) openLibc().close(fd);
  }
  return tags.flatMap((tag) => results.get(tag) ?? []);
}

interface Airfield {
  readonly results: Map<string, ProbeResult>;
  readonly flights: Flight[];
  readonly tags: string[];
}

function start(target: ProbeTarget, options: ProbeOptions, field: Airfield): void {
  const { udp = 3, tcp = 1, clock } = options;
  const specs = [...Array<'UDP'>(udp).fill('UDP'), ...Array<'TCP'>(tcp).fill('TCP')].map(
    (protocol): PodSocketSpec => ({
      protocol,
      address: target.nameserver,
      port: target.port ?? DNS_PORT,
    }),
  );
  const opened = openOrReason(target.namespace, specs);
  for (const [i, { protocol }] of specs.entries()) {
    const tag = probeTag(options.run, field.tags.length);
    const query = taggedQuery(tag, options.domain, options.randomId() & 0xffff);
    if (query === undefined) throw new Error(`No room for a label before ${options.domain}`);
    field.tags.push(tag);
    const socket = typeof opened === 'string' ? opened : (opened[i] ?? 'EBADF');
    if (typeof socket === 'string') {
      const failed = { target, query, protocol, sourcePort: 0, sent: false };
      const outcome = typeof opened === 'string' ? 'not-entered' : outcomeOf(socket);
      field.results.set(tag, resultOf(failed, { outcome, reason: socket }));
      continue;
    }
    field.flights.push({
      target,
      query,
      protocol,
      ...socket,
      startMs: clock.monotonicMs(),
      frames: new FrameSplitter(),
      sent: false,
      heardNonsense: false,
    });
  }
}

function openOrReason(namespace: NetNamespace, specs: readonly PodSocketSpec[]) {
  try {
    return openPodSockets(namespace, specs) ?? 'the network namespace is gone';
  } catch (error) {
    return errorText(error);
  }
}

async function fly(
  flights: readonly Flight[],
  results: Map<string, ProbeResult>,
  { clock, timeoutMs = MOST_MS }: ProbeOptions,
): Promise<void> {
  const endMs = clock.monotonicMs() + Math.min(timeoutMs, MOST_MS);
  const into = new Uint8Array(LARGEST);
  let waiting = [...flights];
  while (waiting.length > 0 && clock.monotonicMs() < endMs) {
    for (const flight of waiting) {
      const outcome = step(flight, into, clock.monotonicMs() - flight.startMs);
      if (outcome !== undefined) results.set(flight.query.tag, resultOf(flight, outcome));
    }
    waiting = waiting.filter(({ query }) => !results.has(query.tag));
    if (waiting.length === 0) return;
    // A TCP socket that is still connecting is always "ready": it hung up.
    const polled = waiting.filter(({ sent }) => sent);
    new PollSet(polled.map(({ fd }) => fd)).wait(SLICE_MS);
    await setImmediate();
  }
  for (const flight of waiting)
    results.set(
      flight.query.tag,
      resultOf(flight, { outcome: flight.heardNonsense ? 'malformed' : 'timeout' }),
    );
}

type Outcome = Pick<ProbeResult, 'outcome' | 'reason' | 'latencyMs' | 'rcode' | 'recursionAvailable'>;

function step(flight: Flight, into: Uint8Array, afterMs: number): Outcome | undefined {
  if (!flight.sent) {
    const refusal = send(flight);
    if (refusal !== undefined || !flight.sent) return refusal;
  }
  for (let left = MOST_AT_ONCE; left > 0; left--) {
    const got = openLibc().recv(flight.fd, into, MSG_DONTWAIT);
    if (got === 0 && flight.protocol === 'TCP')
      return { outcome: 'refused', reason: 'closed without an answer' };
    if (got < 0) return isLater(got) ? undefined : failure(got);
    const message = messageOf(flight, into.slice(0, got));
    if (message !== undefined) return { ...answer(message), latencyMs: afterMs };
    // One query was sent on this connection: there is no answer behind what is none.
    if (flight.heardNonsense && flight.protocol === 'TCP') return { outcome: 'malformed' };
  }
  return undefined;
}

/** Whether it is gone is in `flight.sent`: a connection may not be there yet. */
function send(flight: Flight): Outcome | undefined {
  const { protocol, query, fd } = flight;
  const result = openLibc().send(fd, protocol === 'TCP' ? frameMessage(query.bytes) : query.bytes);
  if (result >= 0) flight.sent = true;
  return result >= 0 || isLater(result) ? undefined : failure(result);
}

function messageOf(flight: Flight, bytes: Uint8Array): Message | undefined {
  const messages = flight.protocol === 'TCP' ? flight.frames.push(bytes) : [bytes];
  for (const message of messages) {
    const found = answerTo(flight.query, message);
    if (found !== undefined) return found;
    flight.heardNonsense = true;
    if (flight.protocol === 'TCP') break;
  }
  return undefined;
}

function answer({ rcode, flags }: Message): Outcome {
  return { outcome: 'answered', rcode: rcodeName(rcode), recursionAvailable: flags.recursionAvailable };
}

function failure(result: number): Outcome {
  const reason = errnoName(result);
  return { outcome: outcomeOf(reason), reason };
}

function isLater(result: number): boolean {
  return ['EAGAIN', 'EINTR', 'ENOTCONN'].includes(errnoName(result));
}

function outcomeOf(name: string): ProbeOutcome {
  if (name === 'ECONNREFUSED' || name === 'ECONNRESET' || name === 'EPIPE') return 'refused';
  if (name === 'ETIMEDOUT') return 'timeout';
  return name === 'EPERM' || name === 'EACCES' ? 'denied' : 'unreachable';
}

function resultOf(
  flight: Pick<Flight, 'target' | 'query' | 'protocol' | 'sourcePort' | 'sent' | 'peer'>,
  outcome: Outcome,
): ProbeResult {
  const { target, query, protocol, sourcePort, sent, peer } = flight;
  const { tag, name } = query;
  const port = target.port ?? DNS_PORT;
  return {
    key: target.key,
    tag,
    name,
    protocol,
    nameserver: target.nameserver,
    port,
    sourcePort,
    sent,
    ...(peer === undefined ? {} : { peer }),
    ...outcome,
  };
}
