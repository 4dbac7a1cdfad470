/**
 * How connections to an upstream are opened: plain TCP, or TLS on it (RFC 7858). TLS is 1.2 or later, certificate and
 * name are always verified, and a session once agreed on is resumed by later connections, which saves them the key
 * exchange and the certificates.
 */
import { connect, isIP, type Socket } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Ip } from '../../../net/ip.ts';
import type { UpstreamAddress } from '../upstream-address.ts';

/** Certificates and key in PEM. */
export interface TlsIdentity {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Trusted instead of the system's authorities. */
  readonly ca?: Buffer;
}

export interface Dialer {
  /** A socket that is being connected. */
  open(): Socket;
  /** The event after which questions may be sent. */
  readonly ready: 'connect' | 'secureConnect';
}

export interface DialSpec {
  readonly upstream: UpstreamAddress;
  readonly sourceAddress: Ip | undefined;
}

export function tcpDialer({ upstream, sourceAddress }: DialSpec): Dialer {
  return {
    ready: 'connect',
    open: () => connect({ ...placeOf(upstream), ...(sourceAddress && { localAddress: sourceAddress }) }),
  };
}

/** `serverName` is what the certificate must be for; without one, the address. */
export function tlsDialer(spec: DialSpec, identity: TlsIdentity, serverName: string | undefined): Dialer {
  const { sourceAddress, upstream } = spec;
  const tls = loadTls();
  let session: Buffer | undefined;
  const options: TlsOptions = {
    ...placeOf(upstream),
    // Made once: it reads all authorities of the system, or those of the file.
    secureContext: tls.createSecureContext({ ...identity, minVersion: 'TLSv1.2' }),
    ...(sourceAddress && { localAddress: sourceAddress }),
    ...(serverName !== undefined && expecting(serverName)),
  };
  return {
    ready: 'secureConnect',
    open() {
      const socket = tls.connect({ ...options, ...(session && { session }) });
      socket.on('session', (ticket) => {
        session = ticket;
      });
      // A session the upstream no longer accepts must not stand in the way of the next connection.
      socket.on('error', () => {
        session = undefined;
      });
      return socket;
    },
  };
}

/** An address may not be sent as a server name (RFC 6066 section 3); it is verified nevertheless. */
function expecting(serverName: string): TlsOptions {
  return {
    servername: isIP(serverName) === 0 ? serverName : '',
    checkServerIdentity: (_host, certificate) => loadTls().checkServerIdentity(serverName, certificate),
  };
}

/** Only where it is used: it takes four megabytes. */
function loadTls() {
  return process.getBuiltinModule('node:tls');
}

function placeOf({ address, port }: UpstreamAddress) {
  return { host: address, port, noDelay: true };
}
