/** Codes of errors that come from the machine below us; docs/errors.md lists each. */
import { getSystemErrorName } from 'node:util';
import { AppError } from '../fault/app-error.ts';

export const SYS_ERRORS = {
  SYS_LIBC_UNAVAILABLE: {
    cause: 'The package that calls into libc could not be loaded, or gave wrong answers to its self-test',
    cure: 'Run npm ci on this machine (Linux on x64 or arm64, glibc or musl), so that the right binary is installed',
  },
  SYS_CALL_FAILED: {
    cause: 'The kernel refused a system call; the message names the call and the error',
    cure: 'Run as root, or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN',
  },
  SYS_NETLINK_REPLY: {
    cause: 'The kernel answered a routing question with something that cannot be read',
    cure: 'Report it with the kernel version: it should not happen',
  },
} as const;

/** `-13` becomes `EACCES`. */
export function errnoName(result: number): string {
  return result < 0 ? getSystemErrorName(result) : 'OK';
}

const PERMISSION: readonly string[] = ['EPERM', 'EACCES'];

/** `result` is a negated errno. The message reads "Cannot <what>: <ENAME>". */
export function sysError(what: string, result: number): AppError {
  const name = errnoName(result);
  const hint = PERMISSION.includes(name) ? { hint: SYS_ERRORS.SYS_CALL_FAILED.cure } : {};
  return new AppError('SYS_CALL_FAILED', `Cannot ${what}: ${name}`, hint);
}

/** Passes a result that is not negative, throws the error of one that is. */
export function checkCall(what: string, result: number): number {
  if (result < 0) throw sysError(what, result);
  return result;
}
