/**
 * Network failures in the words Go uses, because operators' `errors { consolidate … }` patterns and log searches are
 * written for them (dns-server 3.1): `read udp 10.0.0.1:4001->10.0.0.2:53: i/o timeout`. Errors here are values that
 * travel in `Reply.error`; nothing throws them.
 */
import { errorCode, errorText } from '../../../fault/app-error.ts';

export type Transport = 'udp' | 'tcp';
/** How metrics name the way a question goes. */
export type Proto = Transport | 'tcp-tls';

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'broken pipe',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files in system',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EMSGSIZE: 'message too long',
};

const CERTIFICATE_REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate signed by unknown authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate signed by unknown authority',
};

export interface Path {
  readonly transport: Transport;
  /** `IP:PORT` of our end, when there is one already. */
  readonly local: string | undefined;
  /** `IP:PORT` of the upstream. */
  readonly remote: string;
}

/** No answer within the read timeout. */
export function readTimeout(path: Path): Error {
  return new Error(`read ${between(path)}: i/o timeout`);
}

/** An established socket failed; Go names the system call that met it. */
export function readFailure(path: Path, cause: unknown): Error {
  return new Error(`read ${between(path)}: read: ${reasonOf(cause)}`, { cause });
}

export function writeFailure(path: Path, cause: unknown): Error {
  return new Error(`write ${between(path)}: write: ${reasonOf(cause)}`, { cause });
}

export function dialTimeout(path: Path): Error {
  return new Error(`dial ${path.transport} ${path.remote}: i/o timeout`);
}

export function dialFailure(path: Path, cause: unknown): Error {
  return new Error(`dial ${path.transport} ${path.remote}: connect: ${reasonOf(cause)}`, { cause });
}

/** The upstream closed the connection in an orderly way. */
export function endOfFile(): Error {
  return new Error('EOF');
}

/** The words of Go's `crypto/x509` for what is wrong with a certificate; undefined when that is not what is wrong. */
export function certificateFailure(cause: unknown): Error | undefined {
  const code = errorCode(cause) ?? '';
  const reason = CERTIFICATE_REASONS[code] ?? (code.startsWith('CERT_') ? errorText(cause) : undefined);
  const named = code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? nameMismatch(cause) : reason;
  if (named === undefined) return undefined;
  return new Error(`tls: failed to verify certificate: x509: ${named}`, { cause });
}

/** `certificate is valid for a.example, b.example, not c.example`. */
function nameMismatch(cause: unknown): string {
  const { cert, host } = cause as { cert?: { subjectaltname?: string }; host?: string };
  const names = (cert?.subjectaltname ?? '').replace(/\b(?:DNS|IP Address):/g, '');
  if (names === '') return `certificate is not valid for any names, but wanted to match ${host ?? ''}`;
  return `certificate is valid for ${names}, not ${host ?? ''}`;
}

function between(path: Path): string {
  return path.local === undefined
    ? `${path.transport} ${path.remote}`
    : `${path.transport} ${path.local}->${path.remote}`;
}

function reasonOf(cause: unknown): string {
  return REASONS[errorCode(cause) ?? ''] ?? errorText(cause);
}
