/**
 * Many nodes as one observer (spec hubble 7.2): flows in the order of time, counts summed up, a node that is away told of and
 * waited for by nobody. Unlike Hubble's relay it counts: of `number` flows asked for it gives so many in all, not per node.
 */
import type { Clock } from '../../telemetry/clock.ts';
import type { ObservedNamespace, ObservedNode, ObserverSource, ObserverStatus } from '../observer-source.ts';
import type { PeerSet, RelayPeer } from './peer-set.ts';
import { inTime } from './peer-stream.ts';
import { HeldRows, relayFlows } from './relay-flows.ts';

export interface RelayOptions {
  readonly peers: PeerSet;
  readonly version: string;
  readonly clock: Clock;
  /** How long a follower's flow waits for those of nodes that are silent, in milliseconds. Default: 300. */
  readonly windowMs?: number;
  /** Default: 2000. */
  readonly retryMs?: number;
  /** Says what there is to say about nodes. Default: relay. */
  readonly name?: string;
}

const WINDOW_MS = 300;
const RETRY_MS = 2000;
/** A node that does not answer by then is unavailable, in milliseconds. */
const ANSWER_MS = 3000;
/** A node may have to look through all it has for the first flow that matches. */
const FLOW_MS = 5000;

export function createRelaySource(options: RelayOptions): ObserverSource {
  const { peers, clock, version, windowMs = WINDOW_MS, retryMs = RETRY_MS, name = 'relay' } = options;
  const asked = async <T>(ask: (peer: RelayPeer) => Promise<T>) =>
    Promise.all(peers.list().map(async (peer) => ({ peer, answer: await answerOf(ask(peer), clock) })));
  const held = new HeldRows();
  const statuses = shared(() => asked(({ client }) => client.status()));
  const namespaces = shared(() => asked(({ client }) => client.namespaces()));
  return {
    flows: (request, signal, client = '') =>
      relayFlows(request, signal, { peers, name, clock, windowMs, retryMs, answerMs: FLOW_MS, held, client }),
    async status(): Promise<ObserverStatus> {
      const answers = await statuses();
      const there = answers.flatMap(({ answer }) => answer ?? []);
      const away = answers.filter(({ answer }) => answer === undefined).map(({ peer }) => peer.name);
      const sum = (of: (status: ObserverStatus) => number) =>
        there.reduce((total, each) => total + of(each), 0);
      return {
        numFlows: sum(({ numFlows }) => numFlows),
        maxFlows: sum(({ maxFlows }) => maxFlows),
        seenFlows: sum(({ seenFlows }) => seenFlows),
        uptimeNs: longest(there),
        version,
        flowsRate: sum(({ flowsRate }) => flowsRate),
        connectedNodes: there.length,
        unavailableNodes: away,
      };
    },
    async nodes(): Promise<readonly ObservedNode[]> {
      const answers = await statuses();
      return answers.map(({ peer, answer }) => observedNode(peer, answer));
    },
    async namespaces(): Promise<readonly ObservedNamespace[]> {
      const answers = await namespaces();
      const all = new Map(
        answers
          .flatMap(({ answer }) => answer ?? [])
          .map((each) => [`${each.cluster}/${each.namespace}`, each]),
      );
      return [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
    },
  };
}

/**
 * Who asks while an answer is on its way gets that one: each question to a relay is a question to every node, and many
 * clients, or one that asks without end, must not become many times as many.
 */
function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () => {
    underWay ??= ask().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

/** Of the longest living node (spec hubble 6.2). */
function longest(statuses: readonly ObserverStatus[]): bigint {
  const [first = 0n] = statuses.map(({ uptimeNs }) => uptimeNs).sort((a, b) => (a > b ? -1 : 1));
  return first;
}

function observedNode(peer: RelayPeer, status: ObserverStatus | undefined): ObservedNode {
  const { name, address, tlsServerName } = peer;
  return {
    ...{ name, address, version: status?.version ?? '' },
    state: status === undefined ? 'NODE_UNAVAILABLE' : 'NODE_CONNECTED',
    ...(tlsServerName === undefined ? {} : { tls: { enabled: true, serverName: tlsServerName } }),
    uptimeNs: status?.uptimeNs ?? 0n,
    numFlows: status?.numFlows ?? 0,
    maxFlows: status?.maxFlows ?? 0,
    seenFlows: status?.seenFlows ?? 0,
  };
}

/** Undefined for a peer that fails or takes too long. */
function answerOf<T>(answer: Promise<T>, clock: Clock): Promise<T | undefined> {
  const orNothing = answer.catch(() => undefined);
  return inTime(orNothing, ANSWER_MS, clock);
}
