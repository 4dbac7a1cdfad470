/** `zerohop relay`: Hubble's API for all nodes, under hubble-relay's flags, until a signal ends it. */
import { hostname } from 'node:os';
import { createLogger, LOG_LEVELS } from '../agent/logger.ts';
import { PROGRAM_VERSION } from '../agent/version.ts';
import { AppError } from '../fault/app-error.ts';
import { parseDuration } from '../flow/flags/time-flag.ts';
import type { ClientTls } from '../hubble/client.ts';
import type { ListenAddress } from '../hubble/listen/listener.ts';
import type { TlsFiles } from '../hubble/listen/tls-files.ts';
import { startHealthServer } from '../hubble/relay/health-server.ts';
import { type RelayServerOptions, startRelay } from '../hubble/relay/start-relay.ts';
import { parseListenAddress } from '../net/listen-address.ts';
import { systemClock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Command } from './main.ts';
import { collect, createProgram, runProgram } from './program.ts';

interface Flags {
  readonly listenAddress?: readonly string[];
  readonly peerService: string;
  readonly clusterName: string;
  readonly disableClientTls?: boolean;
  readonly tlsHubbleClientCertFile?: string;
  readonly tlsHubbleClientKeyFile?: string;
  readonly tlsHubbleServerCaFiles?: readonly string[];
  readonly disableServerTls?: boolean;
  readonly tlsRelayServerCertFile?: string;
  readonly tlsRelayServerKeyFile?: string;
  readonly tlsRelayClientCaFiles?: readonly string[];
  readonly healthListenAddress?: string;
  readonly sortBufferDrainTimeout: string;
  readonly retryTimeout: string;
  readonly logLevel: string;
}

export const run: Command = async (args) => (await runProgram(relayProgram().action(runRelay), args)) ?? 0;

/** The flags, without what they lead to: tests hold the arguments of manifests against them. */
export function relayProgram(): ReturnType<typeof createProgram> {
  return createProgram(
    'zerohop relay',
    "Serves Hubble's API for a whole cluster: the flows of all nodes in the order of time. Which nodes there are, an agent's\n" +
      'peer service tells. Flags have the names of hubble-relay; files of TLS are read again when they change.',
  )
    .option(
      '--listen-address <address>',
      'ADDRESS:PORT, :PORT or unix:///path; repeated or with commas (:4245)',
      collect,
    )
    .option(
      '--peer-service <target>',
      'who names the nodes: unix:///path or HOST:PORT',
      'unix:///run/zerohop/hubble.sock',
    )
    .option('--cluster-name <name>', 'in the names of certificates', 'default')
    .option('--disable-client-tls', 'speak to the peer service and to nodes without TLS')
    .option('--tls-hubble-client-cert-file <file>', 'what nodes are shown')
    .option('--tls-hubble-client-key-file <file>', 'the key that belongs to it')
    .option(
      '--tls-hubble-server-ca-files <file>',
      'who may vouch for nodes; repeated or with commas (authorities of the system)',
      collect,
    )
    .option('--disable-server-tls', 'serve on TCP without TLS')
    .option('--tls-relay-server-cert-file <file>', 'what clients are shown')
    .option('--tls-relay-server-key-file <file>', 'the key that belongs to it')
    .option(
      '--tls-relay-client-ca-files <file>',
      'who may vouch for clients; repeated or with commas (without: anybody may connect)',
      collect,
    )
    .option(
      '--health-listen-address <address>',
      'gRPC health and nothing else, without TLS, for probes: ADDRESS:PORT or :PORT (off)',
    )
    .option(
      '--sort-buffer-drain-timeout <duration>',
      "how long a follower's flow waits for nodes that are silent",
      '300ms',
    )
    .option('--retry-timeout <duration>', 'between attempts to reach a node or the peer service', '2s')
    .option('--log-level <level>', LOG_LEVELS.join(', '), 'info');
}

async function runRelay(flags: Flags): Promise<void> {
  const level = LOG_LEVELS.find((known) => known === flags.logLevel);
  if (level === undefined)
    throw invalid('log-level', `it is one of ${LOG_LEVELS.join(', ')}`, flags.logLevel);
  const log = createLogger({ level, nodeName: process.env.NODE_NAME ?? hostname() });
  const ended = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
  });
  const relay = await startRelay({
    ...{ listen: listenAddresses(flags), ...peerOptions(flags) },
    ...{ version: PROGRAM_VERSION, clock: systemClock, log },
    windowMs: milliseconds('sort-buffer-drain-timeout', flags.sortBufferDrainTimeout),
    retryMs: milliseconds('retry-timeout', flags.retryTimeout),
  });
  const health = await healthServer(flags, log).catch(async (error: unknown) => {
    await relay.close();
    throw error;
  });
  log.info(`relay serves at ${relay.targets.join(', ')}, its nodes named by ${flags.peerService}`);
  // A timer of the clock's holds no process up.
  const alive = setInterval(() => undefined, 0x7fff_ffff);
  log.info(`ends after ${await ended}`);
  clearInterval(alive);
  await Promise.all([relay.close(), health?.close()]);
}

async function healthServer({ healthListenAddress: text }: Flags, log: Log) {
  if (text === undefined) return undefined;
  const address = parseListenAddress(text);
  if (address === undefined) throw invalid('health-listen-address', 'it is ADDRESS:PORT or :PORT', text);
  const listen = [{ host: address.host ?? '', port: address.port }];
  return startHealthServer({ listen, clock: systemClock, log });
}

function listenAddresses(flags: Flags): readonly ListenAddress[] {
  const texts = flags.listenAddress ?? [':4245'];
  if (texts.length === 0) throw invalid('listen-address', 'it names nothing', '');
  const tls = serverTls(flags);
  return texts.map((text) => {
    if (text.startsWith('unix:///')) return { unix: text.slice('unix://'.length) };
    const address = parseListenAddress(text);
    if (address === undefined)
      throw invalid('listen-address', 'it is ADDRESS:PORT, :PORT or unix:///path', text);
    if (tls === undefined && flags.disableServerTls !== true)
      throw invalid(
        'listen-address',
        'flows tell who asks for what, and TCP is served without TLS only with --disable-server-tls; ' +
          'for TLS give --tls-relay-server-cert-file and --tls-relay-server-key-file',
        text,
      );
    return { host: address.host ?? '', port: address.port, ...(tls === undefined ? {} : { tls }) };
  });
}

function serverTls(flags: Flags): TlsFiles | undefined {
  const {
    tlsRelayServerCertFile: certFile,
    tlsRelayServerKeyFile: keyFile,
    tlsRelayClientCaFiles: ca,
  } = flags;
  const given = certFile ?? keyFile ?? ca?.[0];
  if (flags.disableServerTls === true) {
    if (given !== undefined) throw invalid('disable-server-tls', 'files of TLS are given beside it', given);
    return undefined;
  }
  if (certFile === undefined || keyFile === undefined) {
    if (given !== undefined) throw halfOf('tls-relay-server', given);
    return undefined;
  }
  if (ca?.length === 0) throw invalid('tls-relay-client-ca-files', 'it names nothing', '');
  return { certFile, keyFile, ...(ca === undefined ? {} : { clientCaFiles: ca }) };
}

type PeerOptions = Pick<RelayServerOptions, 'peerService' | 'peerServiceTls' | 'peerTls'>;

/** The peer service on TCP has a name of its own in its certificate, as Cilium's has. */
function peerOptions({ peerService, clusterName, ...flags }: Flags): PeerOptions {
  const { tlsHubbleClientCertFile: certFile, tlsHubbleClientKeyFile: keyFile } = flags;
  const caFiles = flags.tlsHubbleServerCaFiles;
  const given = certFile ?? keyFile ?? caFiles?.[0];
  if (flags.disableClientTls === true) {
    if (given !== undefined) throw invalid('disable-client-tls', 'files of TLS are given beside it', given);
    return { peerService };
  }
  if ((certFile === undefined) !== (keyFile === undefined)) throw halfOf('tls-hubble-client', given ?? '');
  if (caFiles?.length === 0) throw invalid('tls-hubble-server-ca-files', 'it names nothing', '');
  const peerTls: ClientTls = {
    ...(caFiles === undefined ? {} : { caFiles }),
    ...(certFile === undefined || keyFile === undefined ? {} : { certFile, keyFile }),
  };
  const serverName = `hubble-peer.${clusterName.replaceAll('.', '-')}.hubble-grpc.cilium.io`;
  return peerService.startsWith('unix:')
    ? { peerService, peerTls }
    : { peerService, peerTls, peerServiceTls: { ...peerTls, serverName } };
}

function halfOf(flags: string, received: string): AppError {
  return invalid(
    `${flags}-cert-file`,
    `it goes with --${flags}-key-file, and neither without the other`,
    received,
  );
}

const MOST_MS = 600_000;

function milliseconds(flag: string, text: string): number {
  const ms = Number(parseDuration(text) ?? -1n) / 1e6;
  if (ms < 1 || ms > MOST_MS) throw invalid(flag, 'it is a duration from 1ms to 10m', text);
  return ms;
}

function invalid(flag: string, reason: string, received: string): AppError {
  return new AppError(
    'HUBBLE_OPTION_INVALID',
    `Cannot use --${flag}: ${reason}: received ${JSON.stringify(received)}`,
  );
}
