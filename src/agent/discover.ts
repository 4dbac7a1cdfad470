/**
 * Which agents a command talks to: the one named by --server, else by ZEROHOP_SERVER, else the node's own, else all of the
 * lab on this machine (one socket per node, its name is the node's).
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '../fault/app-error.ts';
import { type AgentClient, createAgentClient } from './client.ts';
import { AGENT_ERRORS, type AgentErrorCode } from './errors.ts';

export const DEFAULT_SOCKET = '/run/zerohop/agent.sock';
export const LAB_AGENTS_DIRECTORY = '/run/zerohop/lab/agents';

export interface DiscoverOptions {
  /** `unix:///path` or a path. */
  readonly server?: string;
  /** Only the agent of this node. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly defaultSocket?: string;
  readonly labDirectory?: string;
  /** Takes what one of several agents failed with instead of having it thrown; the others are then used without it. */
  readonly onSilent?: (error: unknown) => void;
}

export interface DiscoveredAgent {
  /** The node's name. */
  readonly node: string;
  readonly client: AgentClient;
  /** Its Hubble API, as `openHubble` takes it; absent: it serves none. */
  readonly hubble?: string;
}

/**
 * At least one, ordered by node. Throws `AppError` AGENT_NOT_RUNNING, AGENT_FORBIDDEN or AGENT_NODE_UNKNOWN. An agent that
 * is not asked for may be silent.
 */
export async function discoverAgents(options: DiscoverOptions = {}): Promise<readonly DiscoveredAgent[]> {
  const agents: DiscoveredAgent[] = [];
  const failures: unknown[] = [];
  for (const path of socketPaths(options)) {
    const client = createAgentClient(path);
    // Asked for its name, so that an agent that does not answer is told of now and not in the middle of the output.
    await client.status().then(
      ({ node, hubble }) => {
        const [target] = hubble?.targets ?? [];
        agents.push({ node, client, ...(target === undefined ? {} : { hubble: target }) });
      },
      (error: unknown) => failures.push(error),
    );
  }
  const wanted = options.node === undefined ? agents : agents.filter(({ node }) => node === options.node);
  const missed = options.node !== undefined && wanted.length > 0 ? [] : failures;
  if (missed.length > 0 && (wanted.length === 0 || options.onSilent === undefined)) throw missed[0];
  for (const failure of missed) options.onSilent?.(failure);
  if (wanted.length > 0) return wanted.sort((a, b) => (a.node < b.node ? -1 : 1));
  const code: AgentErrorCode = 'AGENT_NODE_UNKNOWN';
  const known = agents.map(({ node }) => node).join(', ');
  throw new AppError(code, `Cannot pick the node: there are agents of ${known}: received ${options.node}`);
}

function socketPaths(options: DiscoverOptions): readonly string[] {
  const { env = process.env, defaultSocket = DEFAULT_SOCKET, labDirectory = LAB_AGENTS_DIRECTORY } = options;
  const named = options.server ?? env.ZEROHOP_SERVER;
  if (named !== undefined && named !== '') return [named.replace(/^unix:(\/\/)?(?=\/)/, '')];
  if (existsSync(defaultSocket)) return [defaultSocket];
  const sockets = labSockets(labDirectory);
  if (sockets.length > 0) return sockets;
  const code: AgentErrorCode = 'AGENT_NOT_RUNNING';
  throw new AppError(
    code,
    `Cannot find an agent: nothing at ${defaultSocket} and no lab: received ${labDirectory}`,
    {
      hint: AGENT_ERRORS[code].cure,
    },
  );
}

function labSockets(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith('.sock'))
    .sort()
    .map((name) => join(directory, basename(name)));
}
