/**
 * Failures that an outsider can cause (packet bytes, names, API objects) are values, never exceptions:
 * throwing on a malformed packet costs microseconds, returning a value costs nanoseconds.
 * Failures that an operator can cause are `AppError`s; our own bugs throw plain errors.
 */
export type Result<T, F = Failure> = { readonly ok: true; readonly value: T } | ({ readonly ok: false } & F);

/** A stable code from the folder's `errors.ts`, with where in the input it happened if that is known. */
export interface Failure {
  readonly code: string;
  /** Byte offset into the input. */
  readonly offset?: number;
  /** One clause for a human, without a full stop. */
  readonly reason?: string;
}

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail(code: string, offset?: number, reason?: string): { readonly ok: false } & Failure {
  return {
    ok: false,
    code,
    ...(offset === undefined ? {} : { offset }),
    ...(reason === undefined ? {} : { reason }),
  };
}
