/** What an API server says when it says no: HTTP status plus, usually, a `Status` object (meta/v1). */
import { AppError } from '../fault/app-error.ts';
import type { KubeErrorCode } from './errors.ts';
import { recordOf, textOf } from './json-fields.ts';

export class KubeAnswerError extends AppError {
  /** HTTP status, or the `code` of a watch's ERROR event. */
  readonly status: number;
  /** The machine word of the Status (`NotFound`, `Expired`, `AlreadyExists`), empty when there was none. */
  readonly reason: string;
  /** How long the server asks us to stay away, in seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(what: string, answer: { status: number; reason: string; message: string; retry: unknown }) {
    super(
      codeOf(answer.status),
      `Cannot ${what}: ${answer.message}: received ${answer.status} ${answer.reason}`.trimEnd(),
    );
    this.status = answer.status;
    this.reason = answer.reason;
    this.retryAfterSeconds = typeof answer.retry === 'number' && answer.retry > 0 ? answer.retry : undefined;
  }
}

/**
 * `what` reads "GET /api/v1/pods at https://…"; `body` is whatever came, JSON or not. `retryAfter` is the header of that
 * name: the server's own throttle (429) answers in plain text and says the time only there.
 */
export function answerError(
  what: string,
  status: number,
  { body, retryAfter }: { readonly body: string; readonly retryAfter?: unknown },
): KubeAnswerError {
  return statusError(what, { ...parseStatus(body), code: status }, secondsOf(retryAfter));
}

/** Whole seconds (RFC 9110 10.2.3); API servers do not use the form with a date. */
function secondsOf(header: unknown): number | undefined {
  const text = Array.isArray(header) ? header[0] : header;
  return typeof text === 'string' && /^\d{1,6}$/.test(text.trim()) ? Number(text) : undefined;
}

/** From a parsed `Status` object, as in a watch's ERROR event. */
export function statusError(what: string, object: unknown, retryAfterSeconds?: number): KubeAnswerError {
  const fields = recordOf(object);
  return new KubeAnswerError(what, {
    status: typeof fields.code === 'number' ? fields.code : 0,
    reason: textOf(fields.reason) ?? '',
    message: (textOf(fields.message) ?? 'the server gave no reason').replace(/\s+/g, ' '),
    retry: recordOf(fields.details).retryAfterSeconds ?? retryAfterSeconds,
  });
}

function parseStatus(body: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(JSON.parse(body));
  } catch {
    // Proxies and http.Error answer in plain text; its beginning is the best reason there is.
    const text = body.trim().slice(0, 200);
    return text === '' ? {} : { message: JSON.stringify(text) };
  }
}

function codeOf(status: number): KubeErrorCode {
  switch (status) {
    case 401:
    case 403:
      return 'KUBE_FORBIDDEN';
    case 404:
      return 'KUBE_NOT_FOUND';
    case 409:
      return 'KUBE_CONFLICT';
    case 410:
      return 'KUBE_GONE';
    case 422:
      return 'KUBE_INVALID';
    default:
      return 'KUBE_REFUSED';
  }
}
