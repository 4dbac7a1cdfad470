/** Which server to ask and how, from flags and the environment; for every command that asks Hubble's API. */
import { AppError } from '../../fault/app-error.ts';
import { parseDuration } from '../../flow/flags/time-flag.ts';
import type { ClientTls } from '../../hubble/client.ts';
import { fromEnvironment, isTrue } from './stock-flags.ts';

export interface ServerFlags {
  readonly server?: string;
  readonly timeout?: string;
  readonly requestTimeout?: string;
  readonly tls?: boolean;
  readonly tlsAllowInsecure?: boolean;
  readonly tlsCaCertFiles?: readonly string[];
  readonly tlsServerName?: string;
  readonly tlsClientCertFile?: string;
  readonly tlsClientKeyFile?: string;
}

export interface ServerChoice {
  /** As `openHubble` takes it; absent: none is named. */
  readonly target?: string;
  readonly tls?: ClientTls;
  readonly timeoutMs: number;
  readonly answerMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws `AppError` HUBBLE_OPTION_INVALID. */
export function chooseServer(flags: ServerFlags, env: Environment): ServerChoice {
  const target = flags.server ?? (env.ZEROHOP_SERVER || fromEnvironment('server', env));
  const tls = tlsOf(flags, env, target);
  return {
    ...(target === undefined || target === '' ? {} : { target: asTarget(target) }),
    ...(tls === undefined ? {} : { tls }),
    timeoutMs: milliseconds('timeout', flags.timeout ?? fromEnvironment('timeout', env) ?? '5s'),
    answerMs: milliseconds(
      'request-timeout',
      flags.requestTimeout ?? fromEnvironment('request-timeout', env) ?? '12s',
    ),
  };
}

/** A socket may be named by its path alone. */
function asTarget(text: string): string {
  return text.startsWith('/') ? `unix://${text}` : text.replace(/^unix:(?=\/(?!\/))/, 'unix://');
}

function tlsOf(flags: ServerFlags, env: Environment, target = ''): ClientTls | undefined {
  const word = (name: string) => fromEnvironment(name, env);
  const truth = (name: string) => isTrue(`--${name}`, word(name) ?? false);
  const caFiles = flags.tlsCaCertFiles ?? word('tls-ca-cert-files')?.split(/[ ,]+/);
  const serverName = flags.tlsServerName ?? word('tls-server-name');
  const certFile = flags.tlsClientCertFile ?? word('tls-client-cert-file');
  const keyFile = flags.tlsClientKeyFile ?? word('tls-client-key-file');
  const insecure = flags.tlsAllowInsecure ?? truth('tls-allow-insecure');
  const details: ClientTls = {
    ...(caFiles === undefined ? {} : { caFiles }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    ...(insecure ? { insecure } : {}),
  };
  if ((certFile === undefined) !== (keyFile === undefined))
    throw invalid('tls-client-cert-file', 'it goes with --tls-client-key-file', certFile ?? keyFile ?? '');
  const isWanted = flags.tls ?? truth('tls');
  if (isWanted && /^(unix:)?\//.test(target))
    throw invalid('tls', 'a unix socket is spoken to without', target);
  if (isWanted || target.startsWith('tls://')) return details;
  const [given] = Object.keys(details);
  // From the environment they may be meant for another server.
  const typed =
    flags.tlsCaCertFiles ?? flags.tlsServerName ?? flags.tlsClientCertFile ?? flags.tlsAllowInsecure;
  if (given === undefined || typed === undefined) return undefined;
  throw invalid('tls-…', 'it needs --tls, or a server that is named tls://…', target);
}

const MOST_MS = 3_600_000;

function milliseconds(flag: string, text: string): number {
  const ms = Number(parseDuration(text) ?? -1n) / 1e6;
  if (ms < 1 || ms > MOST_MS) throw invalid(flag, 'it is a duration from 1ms to 1h', text);
  return ms;
}

function invalid(flag: string, reason: string, received: string): AppError {
  return new AppError(
    'HUBBLE_OPTION_INVALID',
    `Cannot use --${flag}: ${reason}: received ${JSON.stringify(received)}`,
  );
}
