/**
 * Whom `observe` asks: the server that is named, else the agent of this machine, else all of the lab's as one, merged here.
 * A name may also be that of an agent's own socket, since `ZEROHOP_SERVER` is for all commands: the agent says where its
 * Hubble is.
 */
import { type DiscoveredAgent, type DiscoverOptions, discoverAgents } from '../../agent/discover.ts';
import { PROGRAM_VERSION } from '../../agent/version.ts';
import { AppError, errorCode } from '../../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../../flow/api.ts';
import { type HubbleClient, openHubble } from '../../hubble/client.ts';
import { PeerSet } from '../../hubble/relay/peer-set.ts';
import { createRelaySource } from '../../hubble/relay/relay-source.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { warn, warnOfSilence } from '../program.ts';
import type { ServerChoice } from './server-flags.ts';

export interface FlowSource {
  flows(request: GetFlowsRequest, signal: AbortSignal): AsyncIterable<GetFlowsResponse>;
  /** Absent where several are asked as one. */
  readonly client?: HubbleClient;
  close(): void;
}

/** Throws `AppError` of the server that cannot be reached, or as `discoverAgents`. */
export async function openFlowSource(
  choice: ServerChoice,
  node: string | undefined,
  where: Pick<DiscoverOptions, 'defaultSocket' | 'labDirectory'> = {},
): Promise<FlowSource> {
  if (choice.target !== undefined) return ofClient(await namedServer(choice.target, choice, node));
  const agents = await discoverAgents({
    onSilent: warnOfSilence,
    env: {},
    ...where,
    ...(node === undefined ? {} : { node }),
  });
  const targets = agents.flatMap(({ node: name, hubble }) =>
    hubble === undefined ? [] : [{ name, hubble }],
  );
  for (const { node: name, hubble } of agents)
    if (hubble === undefined && targets.length > 0)
      warn(`the agent of ${name} serves no Hubble API: shown without it`);
  const [first] = targets;
  if (first === undefined) throw servesNone(agents);
  if (targets.length > 1) return ofMany(targets, choice);
  return ofClient(await reached(first.hubble, choice));
}

function servesNone(agents: readonly Pick<DiscoveredAgent, 'node'>[]): AppError {
  const names = agents.map(({ node }) => node).join(', ');
  return new AppError(
    'HUBBLE_UNSUPPORTED',
    `Cannot observe: the agent serves no Hubble API: received from ${names}`,
    { hint: 'Start it without --no-flows and --hubble-socket-path off' },
  );
}

function ofClient(client: HubbleClient): FlowSource {
  return { client, flows: (request, signal) => client.flows(request, signal), close: () => client.close() };
}

/** Throws unless somebody answers there. */
async function reached(target: string, { tls, answerMs, timeoutMs }: ServerChoice): Promise<HubbleClient> {
  const client = openHubble(target, tls, { answerMs });
  try {
    await client.reach(timeoutMs);
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

async function namedServer(target: string, choice: ServerChoice, node?: string): Promise<HubbleClient> {
  try {
    return await reached(target, choice);
  } catch (error) {
    if (!target.startsWith('unix://') || errorCode(error) !== 'HUBBLE_UNREACHABLE') throw error;
    const [agent] = await discoverAgents({ server: target, ...(node === undefined ? {} : { node }) }).catch(
      (other: unknown) => {
        throw errorCode(other) === 'AGENT_NODE_UNKNOWN' ? other : error;
      },
    );
    if (agent?.hubble === undefined) throw agent === undefined ? error : servesNone([agent]);
    return reached(agent.hubble, choice);
  }
}

interface Target {
  readonly name: string;
  readonly hubble: string;
}

/** How long a follower's flow waits for the other nodes of this machine, in milliseconds. */
const WINDOW_MS = 100;

function ofMany(targets: readonly Target[], { answerMs }: ServerChoice): FlowSource {
  const peers = new PeerSet(({ address }) => openHubble(address, undefined, { answerMs }));
  for (const { name, hubble } of targets) peers.apply({ name, address: hubble, type: 'PEER_ADDED' });
  const relay = createRelaySource({
    peers,
    version: PROGRAM_VERSION,
    clock: systemClock,
    windowMs: WINDOW_MS,
  });
  return { flows: (request, signal) => relay.flows(request, signal), close: () => peers.close() };
}
