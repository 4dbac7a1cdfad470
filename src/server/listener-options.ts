/** What blocks may ask of the listeners they share, beyond an address. Plain values; the listener makes them true. */
import type { ServerRoute } from './router.ts';

export interface ListenerTls {
  /** PEM. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca?: string | Buffer;
  /** Whether clients are asked for a certificate, and what is done without a good one (dns-server 3.19). */
  readonly clientAuth: 'nocert' | 'request' | 'require' | 'verify_if_given' | 'require_and_verify';
  /** Where the secrets of sessions are written for debugging, as NSS key log lines. */
  readonly keylogFile?: string;
}

/** Of TCP and DoT connections. Defaults in dns-server 2.6. */
export interface ListenerTimeouts {
  readonly readMs?: number;
  readonly writeMs?: number;
  readonly idleMs?: number;
  /** Queries that one connection may ask; 0 means no limit. */
  readonly maxTcpQueries?: number;
}

/** How a listener answers: all that a reload may change while its sockets stay open. */
export interface ListenerConduct {
  readonly routes: readonly ServerRoute[];
  /** For connections that come from now on, as is `tls`. */
  readonly timeouts?: ListenerTimeouts;
  /** Of listeners that open no datagram socket. Absent: in clear. */
  readonly tls?: ListenerTls;
  /** Codes of EDNS options that go back to the client as they came, beside those of dns-server 2.3. */
  readonly keptOptions?: ReadonlySet<number>;
  /** What a handler throws ends the process, instead of one query. */
  readonly debug?: boolean;
  /** The line about what a handler threw says where. */
  readonly stacktrace?: boolean;
}
