/**
 * Whom a command asks for flows: the target of --server, else of ZEROHOP_SERVER or HUBBLE_SERVER, else the agents of this
 * machine: one as it is, several together as a relay would. Flags have the names of the stock CLI.
 */
import { discoverAgents } from '../agent/discover.ts';
import { PROGRAM_VERSION } from '../agent/version.ts';
import { AppError } from '../fault/app-error.ts';
import { type ClientTls, openHubble } from '../hubble/client.ts';
import type { ObserverSource } from '../hubble/observer-source.ts';
import { PeerSet } from '../hubble/relay/peer-set.ts';
import { createRelaySource } from '../hubble/relay/relay-source.ts';
import { systemClock } from '../telemetry/clock.ts';
import { collect, type createProgram, warnOfSilence } from './program.ts';

export interface SourceFlags {
  readonly server?: string;
  readonly node?: string;
  readonly tls?: boolean;
  readonly tlsAllowInsecure?: boolean;
  readonly tlsCaCertFiles?: readonly string[];
  readonly tlsClientCertFile?: string;
  readonly tlsClientKeyFile?: string;
  readonly tlsServerName?: string;
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

export interface FlowSource extends ObserverSource {
  /** In words, for whoever is told. */
  readonly whom: string;
  close(): void;
}

/** Throws `AppError` as `discoverAgents` and `openHubble` do. What is found need not answer yet. */
export async function openFlowSource(flags: SourceFlags, env = process.env): Promise<FlowSource> {
  const named = [flags.server, env.ZEROHOP_SERVER, env.HUBBLE_SERVER].find((text) => (text ?? '') !== '');
  if (named !== undefined) {
    const target = named.startsWith('/') ? `unix://${named}` : named;
    return withWords(openHubble(target, tlsOf(flags)), target);
  }
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
  if (targets.length === 1) return withWords(openHubble(first.target), `the agent of ${first.name}`);
  return openSeveral(targets);
}

/** The targets of several nodes as one source. */
export function openSeveral(
  targets: readonly { readonly name: string; readonly target: string }[],
): FlowSource {
  const peers = new PeerSet(({ address }) => openHubble(address));
  for (const { name, target } of targets) peers.apply({ name, address: target, type: 'PEER_ADDED' });
  const source = createRelaySource({ peers, version: PROGRAM_VERSION, clock: systemClock });
  const whom = `the agents of ${targets.map(({ name }) => name).join(', ')}`;
  return { ...source, whom, close: () => peers.close() };
}

function withWords(client: ReturnType<typeof openHubble>, whom: string): FlowSource {
  return { ...client, whom };
}

/** Any flag of TLS asks for TLS. */
function tlsOf(flags: SourceFlags): ClientTls | undefined {
  const tls: ClientTls = {
    ...(flags.tlsCaCertFiles === undefined ? {} : { caFiles: flags.tlsCaCertFiles }),
    ...(flags.tlsClientCertFile === undefined ? {} : { certFile: flags.tlsClientCertFile }),
    ...(flags.tlsClientKeyFile === undefined ? {} : { keyFile: flags.tlsClientKeyFile }),
    ...(flags.tlsServerName === undefined ? {} : { serverName: flags.tlsServerName }),
    ...(flags.tlsAllowInsecure === true ? { insecure: true } : {}),
  };
  return flags.tls === true || Object.keys(tls).length > 0 ? tls : undefined;
}
