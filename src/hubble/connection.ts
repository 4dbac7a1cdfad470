/**
 * The way to one server: a client of the library's, made anew when the files of TLS have changed, because a certificate is
 * renewed while a relay runs for months. What was asked before goes on by the old way until it ends. Files that cannot be
 * used, as in the middle of a change, leave the way as it was.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { AppError, errorText } from '../fault/app-error.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { HubbleErrorCode } from './errors.ts';
import { signatureOf } from './file-signature.ts';
import { Client, type ClientOptions, credentials } from './grpc.ts';

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

/** The right to ask by a client until `release`. */
export interface Lease {
  readonly client: Client;
  release(): void;
}

export interface Connection {
  readonly target: string;
  lease(): Lease;
  /** Ends what is under way. */
  close(): void;
}

const OPTIONS: ClientOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  // The library's own two minutes would let a node that is back wait.
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2000,
  // Servers written in Go hang up on whoever asks more often than every five minutes.
  'grpc.keepalive_time_ms': 310_000,
  'grpc.keepalive_timeout_ms': 20_000,
};

/** `unix:///path`, `host:port`, or `tls://host:port`; `tls` makes the second the third. Connects at the first question. */
export function openConnection(
  target: string,
  tls: ClientTls | undefined,
  clock: Pick<Clock, 'monotonicMs'>,
): Connection {
  const { address, secure } = parseTarget(target);
  if (secure || (tls !== undefined && !address.startsWith('unix:')))
    return new TlsConnection(target, address, tls ?? {}, clock);
  const client = new Client(address, credentials.createInsecure(), OPTIONS);
  return { target, lease: () => ({ client, release: () => undefined }), close: () => client.close() };
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
      { hint: 'Write unix:///path/to/socket, host:port or tls://host:port' },
    );
  }
  return { address: `${host}:${port}`, secure: scheme !== undefined };
}

const LOOK_MS = 1000;

interface Way {
  readonly client: Client;
  leases: number;
}

class TlsConnection implements Connection {
  readonly target: string;
  readonly #address: string;
  readonly #tls: ClientTls;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** The last is the one that is used; those before it have something under way. */
  #ways: readonly Way[];
  #signature: string;
  #lookedAtMs: number;

  constructor(target: string, address: string, tls: ClientTls, clock: Pick<Clock, 'monotonicMs'>) {
    this.target = target;
    this.#address = address;
    this.#tls = tls;
    this.#clock = clock;
    // Before reading: a change in between is then seen the next time.
    this.#signature = signatureOf(pathsOf(tls));
    this.#lookedAtMs = clock.monotonicMs();
    this.#ways = [this.#open()];
  }

  lease(): Lease {
    this.#renew();
    const way = this.#ways.at(-1);
    if (way === undefined) throw new Error('The connection is closed');
    way.leases++;
    let isReleased = false;
    return {
      client: way.client,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        way.leases--;
        this.#closeUnused();
      },
    };
  }

  close(): void {
    for (const { client } of this.#ways) client.close();
  }

  #open(): Way {
    const credentials = tlsCredentials(this.#address, this.#tls);
    const options = { ...OPTIONS, ...nameOptions(this.#address, this.#tls) };
    return { client: new Client(this.#address, credentials, options), leases: 0 };
  }

  #renew(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    const signature = signatureOf(pathsOf(this.#tls));
    if (signature === this.#signature) return;
    this.#signature = signature;
    try {
      this.#ways = [...this.#ways, this.#open()];
    } catch {
      // Half of a change: the other half changes the signature again.
      return;
    }
    this.#closeUnused();
  }

  #closeUnused(): void {
    const [unused, kept] = [this.#ways.slice(0, -1), this.#ways.slice(-1)];
    for (const { client, leases } of unused) if (leases === 0) client.close();
    this.#ways = [...unused.filter(({ leases }) => leases > 0), ...kept];
  }
}

function pathsOf({ caFiles, certFile, keyFile }: ClientTls): readonly string[] {
  return [...(caFiles ?? []), certFile, keyFile].filter((path) => path !== undefined);
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

function tlsCredentials(target: string, tls: ClientTls) {
  const { caFiles, certFile, keyFile, insecure, serverName } = tls;
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
    const names = pathsOf(tls).join(', ');
    throw new AppError(code, `Cannot use the TLS files: ${errorText(error)}: received ${names}`, {
      cause: error,
    });
  }
}
