/** A refused `bind` or `listen`, in words an operator can act on. */
import { AppError, errorCode, errorText } from '../fault/app-error.ts';
import { SERVER_ERRORS, type ServerErrorCode } from './errors.ts';

const KNOWN: Readonly<Record<string, { code: ServerErrorCode; reason: string }>> = {
  EADDRINUSE: { code: 'SERVER_ADDRESS_IN_USE', reason: 'the address is in use' },
  EACCES: { code: 'SERVER_ADDRESS_DENIED', reason: 'permission denied' },
  EPERM: { code: 'SERVER_ADDRESS_DENIED', reason: 'permission denied' },
  EADDRNOTAVAIL: { code: 'SERVER_ADDRESS_MISSING', reason: 'no interface has this address' },
};

/** `where` as in `udp 10.96.0.10:53`. */
export function listenError(where: string, error: unknown): AppError {
  const systemCode = errorCode(error) ?? '';
  const { code, reason } = KNOWN[systemCode] ?? { code: 'SERVER_LISTEN', reason: errorText(error) };
  const received = systemCode === '' ? '' : `: received ${systemCode}`;
  return new AppError(code, `Cannot listen on ${where}: ${reason}${received}`, {
    cause: error,
    hint: SERVER_ERRORS[code].cure,
  });
}

/** Whether a `listenError` says what a machine without IPv6 says to `::`. */
export function isFamilyMissing(error: unknown): boolean {
  const cause = error instanceof AppError ? errorCode(error.cause) : undefined;
  return cause === 'EAFNOSUPPORT' || cause === 'EADDRNOTAVAIL' || cause === 'EINVAL';
}
