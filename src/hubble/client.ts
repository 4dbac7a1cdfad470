/**
 * A client of Hubble's API: ours, a relay's or Cilium's. Streams are read no faster than they are taken and end with their
 * signal; failures are `AppError`s that name the server. Reconnecting is the caller's affair: what it has missed in between
 * only it can say.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { AppError, errorCode, errorText } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import type { HubbleErrorCode } from './errors.ts';
import {
  Client,
  type ClientOptions,
  credentials,
  HEALTH,
  type Method,
  methodOf,
  OBSERVER,
  PEER,
  type WireMessage,
} from './grpc.ts';
import {
  fromWireNamespaces,
  fromWireNodes,
  fromWirePeer,
  fromWireResponse,
  fromWireStatus,
} from './messages.ts';
import { NARROW_NAME } from './narrow.ts';
import type { ObserverSource, PeerChange } from './observer-source.ts';
import { toWireRequest } from './requests.ts';
import { appErrorOf, isCancelled } from './rpc-status.ts';

export interface ClientTls {
  /** Authorities that may vouch for the server; absent: those of the system. */
  readonly caFiles?: readonly string[];
  /** What we show; both or none. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** The name in the server's certificate, when it is not the target's. */
  readonly serverName?: string;
  /** Whoever answers is believed. */
  readonly insecure?: boolean;
}

export interface HubbleClient extends ObserverSource {
  readonly target: string;
  peers(signal: AbortSignal): AsyncIterable<PeerChange>;
  /** Word of the health service for `hubble.server.Observer`. */
  health(): Promise<string>;
  /** Whether `narrow` of a request means something to the server; `flows` with it is refused otherwise. */
  knowsNarrow(): Promise<boolean>;
  /** Ends what is under way. */
  close(): void;
}

/** Of questions with one answer, the stock client's own (spec hubble 2.2). */
const UNARY_TIMEOUT_MS = 12_000;

/**
 * `unix:///path`, `host:port`, or `tls://host:port`; `tls` makes the second the third. Connects at the first question.
 * Throws `AppError` HUBBLE_TARGET_INVALID or HUBBLE_TLS_UNUSABLE.
 */
export function openHubble(target: string, tls?: ClientTls): HubbleClient {
  const { address, secure } = parseTarget(target);
  const options: ClientOptions = {
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_retries': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
  };
  const usesTls = secure || (tls !== undefined && !address.startsWith('unix:'));
  const client = usesTls
    ? new Client(address, tlsCredentials(address, tls ?? {}), {
        ...options,
        ...nameOptions(address, tls ?? {}),
      })
    : new Client(address, credentials.createInsecure(), options);
  const ask = (method: Method, message: WireMessage = {}) => unary({ client, target }, method, message);
  const listen = (method: Method, message: WireMessage, signal: AbortSignal) =>
    stream({ client, target }, { method, message, signal });
  const check = async (service: string) =>
    String((await ask(methodOf(HEALTH, 'Check'), { service })).status ?? 'UNKNOWN');
  const knowsNarrow = () => check(NARROW_NAME).then((status) => status === 'SERVING', isRefusal);
  return {
    target,
    async *flows(request: GetFlowsRequest, signal: AbortSignal) {
      if (request.narrow !== undefined && !(await knowsNarrow())) throw narrowUnknown(target);
      for await (const wire of listen(methodOf(OBSERVER, 'GetFlows'), toWireRequest(request), signal)) {
        const response: GetFlowsResponse | undefined = fromWireResponse(wire);
        if (response !== undefined) yield response;
      }
    },
    status: async () => fromWireStatus(await ask(methodOf(OBSERVER, 'ServerStatus'))),
    nodes: async () => fromWireNodes(await ask(methodOf(OBSERVER, 'GetNodes'))),
    namespaces: async () => fromWireNamespaces(await ask(methodOf(OBSERVER, 'GetNamespaces'))),
    async *peers(signal: AbortSignal) {
      for await (const wire of listen(methodOf(PEER, 'Notify'), {}, signal)) {
        const change = fromWirePeer(wire);
        if (change !== undefined) yield change;
      }
    },
    health: () => check('hubble.server.Observer'),
    knowsNarrow,
    close: () => client.close(),
  };
}

/** False: the server is there and has no such name, or no health service at all. Any other failure is thrown. */
function isRefusal(error: unknown): false {
  const code = errorCode(error);
  if (code === 'HUBBLE_REFUSED' || code === 'HUBBLE_UNSUPPORTED') return false;
  throw error;
}

function narrowUnknown(target: string): AppError {
  const code: HubbleErrorCode = 'HUBBLE_UNSUPPORTED';
  return new AppError(
    code,
    `Cannot ask Hubble: the server has no conditions beyond its filters: received ${target}`,
  );
}

interface Parsed {
  readonly address: string;
  readonly secure: boolean;
}

function parseTarget(target: string): Parsed {
  if (/^unix:\/\/\/./.test(target)) return { address: target, secure: false };
  const match = /^(tls:\/\/)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(target);
  const [, scheme, host = '', port = ''] = match ?? [];
  if (match === null || Number(port) > 65535) {
    const code: HubbleErrorCode = 'HUBBLE_TARGET_INVALID';
    throw new AppError(
      code,
      `Cannot ask Hubble: the address is not understood: received ${JSON.stringify(target)}`,
      {
        hint: 'Write unix:///path/to/socket, host:port or tls://host:port',
      },
    );
  }
  return { address: `${host}:${port}`, secure: scheme !== undefined };
}

/** TLS has no way to ask for an address by SNI (RFC 6066 section 3), and the library would try: this is asked for instead. */
const NO_NAME = 'hubble.invalid';

/** Undefined for a target that has a name. */
function addressOf(target: string): string | undefined {
  const host = target.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 ? undefined : host;
}

function nameOptions(target: string, { serverName }: ClientTls): ClientOptions {
  if (serverName !== undefined) {
    return { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName };
  }
  return addressOf(target) === undefined ? {} : { 'grpc.ssl_target_name_override': NO_NAME };
}

function tlsCredentials(target: string, { caFiles, certFile, keyFile, insecure, serverName }: ClientTls) {
  const ip = serverName === undefined ? addressOf(target) : undefined;
  try {
    const ca = caFiles === undefined ? null : Buffer.concat(caFiles.map((path) => readFileSync(path)));
    const key = keyFile === undefined ? null : readFileSync(keyFile);
    const cert = certFile === undefined ? null : readFileSync(certFile);
    return credentials.createSsl(ca, key, cert, {
      ...(insecure === true ? { rejectUnauthorized: false } : {}),
      ...(ip === undefined ? {} : { checkServerIdentity: (_name, shown) => checkServerIdentity(ip, shown) }),
    });
  } catch (error) {
    const code: HubbleErrorCode = 'HUBBLE_TLS_UNUSABLE';
    const names = [...(caFiles ?? []), certFile, keyFile].filter((name) => name !== undefined).join(', ');
    throw new AppError(code, `Cannot use the TLS files: ${errorText(error)}: received ${names}`, {
      cause: error,
    });
  }
}

interface Connection {
  readonly client: Client;
  readonly target: string;
}

function unary({ client, target }: Connection, method: Method, message: WireMessage): Promise<WireMessage> {
  return new Promise((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = method;
    const options = { deadline: Date.now() + UNARY_TIMEOUT_MS };
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      options,
      (error, answer) => {
        if (error !== null) reject(appErrorOf(error, target));
        else resolve(answer ?? {});
      },
    );
  });
}

interface Question {
  readonly method: Method;
  readonly message: WireMessage;
  readonly signal: AbortSignal;
}

async function* stream(
  { client, target }: Connection,
  { method, message, signal }: Question,
): AsyncGenerator<WireMessage, void, void> {
  if (signal.aborted) return;
  const { path, requestSerialize, responseDeserialize } = method;
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, message);
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for await (const each of call) yield each as WireMessage;
  } catch (error) {
    if (signal.aborted && isCancelled(error)) return;
    throw isServiceError(error) ? appErrorOf(error, target) : error;
  } finally {
    signal.removeEventListener('abort', cancel);
    // Also when the reader just stops reading.
    call.cancel();
  }
}

function isServiceError(error: unknown): error is Parameters<typeof appErrorOf>[0] {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}
