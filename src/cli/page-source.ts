/**
 * Whom the page asks for flows: the server that is named, by the flags and variables that `observe` has, else the agents of
 * this machine, several together as a relay would. None need answer yet: the page says so and waits.
 */
import { discoverAgents } from '../agent/discover.ts';
import { PROGRAM_VERSION } from '../agent/version.ts';
import { AppError } from '../fault/app-error.ts';
import { openHubble } from '../hubble/client.ts';
import type { ObserverSource } from '../hubble/observer-source.ts';
import { PeerSet } from '../hubble/relay/peer-set.ts';
import { createRelaySource } from '../hubble/relay/relay-source.ts';
import { systemClock } from '../telemetry/clock.ts';
import { chooseServer, type ServerFlags } from './observe/server-flags.ts';
import { collect, type createProgram, warnOfSilence } from './program.ts';

export interface SourceFlags extends ServerFlags {
  readonly node?: string;
}

export function addSourceFlags(program: ReturnType<typeof createProgram>): void {
  program
    .option(
      '--server <target>',
      'whom to ask: unix:///path, HOST:PORT or tls://HOST:PORT (or ZEROHOP_SERVER, HUBBLE_SERVER)',
    )
    .option('--node <name>', 'without --server: only the agent of this node')
    .option('--tls', 'speak TLS to the server')
    .option('--tls-allow-insecure', 'believe whoever answers')
    .option(
      '--tls-ca-cert-files <file>',
      'who may vouch for the server; repeated or with commas (authorities of the system)',
      collect,
    )
    .option('--tls-client-cert-file <file>', 'what the server is shown')
    .option('--tls-client-key-file <file>', 'the key that belongs to it')
    .option('--tls-server-name <name>', "the name in the server's certificate, when it is not the target's");
}

export interface PageSource extends ObserverSource {
  /** In words, for whoever is told. */
  readonly whom: string;
  close(): void;
}

/** Throws `AppError` as `discoverAgents` and `openHubble` do. What is found need not answer yet. */
export async function openPageSource(flags: SourceFlags, env = process.env): Promise<PageSource> {
  const { target, tls, answerMs } = chooseServer(flags, env);
  if (target !== undefined) return { ...openHubble(target, tls, { answerMs }), whom: target };
  const node = flags.node === undefined ? {} : { node: flags.node };
  const agents = await discoverAgents({ ...node, onSilent: warnOfSilence });
  const targets = agents.flatMap(({ node: name, hubble }) =>
    hubble === undefined ? [] : [{ name, target: hubble }],
  );
  const [first] = targets;
  if (first === undefined)
    throw new AppError('AGENT_NOT_RUNNING', "Cannot find flows: no agent here serves Hubble's API", {
      hint: 'Start the agent without --hubble-socket-path off, or name another server with --server',
    });
  if (targets.length === 1) return { ...openHubble(first.target), whom: `the agent of ${first.name}` };
  return openSeveral(targets);
}

/** The targets of several nodes as one source. */
export function openSeveral(
  targets: readonly { readonly name: string; readonly target: string }[],
): PageSource {
  const peers = new PeerSet(({ address }) => openHubble(address));
  for (const { name, target } of targets) peers.apply({ name, address: target, type: 'PEER_ADDED' });
  const source = createRelaySource({ peers, version: PROGRAM_VERSION, clock: systemClock });
  const whom = `the agents of ${targets.map(({ name }) => name).join(', ')}`;
  return { ...source, whom, close: () => peers.close() };
}
