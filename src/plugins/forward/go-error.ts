/**
 * Network failures in the words Go uses, because operators' `errors { consolidate … }` patterns and log searches are
 * written for them (dns-server 3.1): `read udp 10.0.0.1:4001->10.0.0.2:53: i/o timeout`. Errors here are values that
 * travel in `Reply.error`; nothing throws them.
 */
import { errorCode, errorText } from '../../fault/app-error.ts';

export type Transport = 'udp' | 'tcp';

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

function between(path: Path): string {
  return path.local === undefined
    ? `${path.transport} ${path.remote}`
    : `${path.transport} ${path.local}->${path.remote}`;
}

function reasonOf(cause: unknown): string {
  return REASONS[errorCode(cause) ?? ''] ?? errorText(cause);
}
