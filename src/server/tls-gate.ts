/**
 * The handshakes of a DoT listener (RFC 7858). Plain connections go in, encrypted ones come out; those that do not
 * succeed in time are closed here and nobody hears of them, for anyone can make as many of these as he likes. The
 * listening socket is not the gate's: a reload puts up another gate and leaves the socket open.
 */
import { appendFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { ListenerTls } from './listener-options.ts';

export interface TlsGateSpec {
  readonly tls: ListenerTls;
  readonly handshakeMs: number;
}

/** RFC 7858 asks for 1.2 at least, and so does CoreDNS. */
const LEAST_VERSION = 'TLSv1.2';

/** What clients that name protocols must name (RFC 7858 section 3.1 knows none; resolvers send this one). */
const ALPN = ['dot'];

export class TlsGate {
  /** Never listens: it is handed connections. */
  readonly #server: Server;
  readonly #waiting = new Map<string, (secured: TLSSocket) => void>();

  /** Throws OpenSSL's own error for a certificate and key that do not fit. */
  constructor({ tls, handshakeMs }: TlsGateSpec) {
    const { cert, key, ca, clientAuth, keylogFile } = tls;
    // Loaded here, not by `import`: few servers need it, and all would pay for it at their start.
    const { createServer } = process.getBuiltinModule('node:tls');
    this.#server = createServer({
      cert,
      key,
      ...(ca === undefined ? {} : { ca }),
      minVersion: LEAST_VERSION,
      ALPNProtocols: ALPN,
      requestCert: clientAuth !== 'nocert',
      rejectUnauthorized: clientAuth === 'require_and_verify',
      handshakeTimeout: handshakeMs,
    });
    this.#server.on('secureConnection', (secured) => {
      secured.allowHalfOpen = true;
      const admit = this.#waiting.get(keyOf(secured));
      if (admit === undefined || !isWelcome(secured, clientAuth)) secured.destroy();
      else admit(secured);
    });
    this.#server.on('tlsClientError', (_error, secured) => secured.destroy());
    if (keylogFile !== undefined) this.#server.on('keylog', (line) => writeSecret(keylogFile, line));
  }

  /** Shakes hands on `plain`; `admit` is called once, or never. */
  pass(plain: Socket, admit: (secured: TLSSocket) => void): void {
    const key = keyOf(plain);
    this.#waiting.set(key, admit);
    plain.once('close', () => {
      if (this.#waiting.get(key) === admit) this.#waiting.delete(key);
    });
    // Who turns away during the handshake is gone; behind it a client may have said all and still read.
    plain.allowHalfOpen = false;
    // What goes wrong on the way is the encrypted side's to see; here it must only not surface.
    plain.on('error', () => plain.destroy());
    this.#server.emit('connection', plain);
  }
}

/** Both ends: two clients may come from one port to two addresses of ours. */
function keyOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** What Go's five modes ask beyond what OpenSSL has refused already. */
function isWelcome(secured: TLSSocket, clientAuth: ListenerTls['clientAuth']): boolean {
  if (clientAuth === 'nocert' || clientAuth === 'request' || clientAuth === 'require_and_verify') return true;
  const hasCertificate = Object.keys(secured.getPeerCertificate()).length > 0;
  return clientAuth === 'require' ? hasCertificate : !hasCertificate || secured.authorized;
}

/** Only for debugging, as its operator asked; a disk that is full must not end the server. */
function writeSecret(file: string, line: Buffer): void {
  try {
    appendFileSync(file, line, { mode: 0o600 });
  } catch {
    // The session goes on without being readable for whoever records it.
  }
}
