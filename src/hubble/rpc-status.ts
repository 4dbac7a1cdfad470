/**
 * Errors as gRPC carries them: a code, a sentence, and beside them our own code, so that a client of ours says the same
 * code that the server meant. The stock client shows the sentence alone for UNKNOWN, with the code's name ahead for any
 * other (spec hubble 2.1): filters that cannot be served are told so, as Hubble itself does.
 */
import { AppError, errorText } from '../fault/app-error.ts';
import type { Log } from '../telemetry/log.ts';
import { HUBBLE_ERRORS, type HubbleErrorCode } from './errors.ts';
import { Metadata, type ServiceError, type StatusObject, status } from './grpc.ts';

const OWN_CODE = 'zerohop-code';

const STATUS_OF: Readonly<Record<string, number>> = {
  FLOW_REQUEST_INVALID: status.INVALID_ARGUMENT,
  HUBBLE_REQUEST_INVALID: status.INVALID_ARGUMENT,
  HUBBLE_BUSY: status.RESOURCE_EXHAUSTED,
  HUBBLE_UNSUPPORTED: status.UNIMPLEMENTED,
  HUBBLE_UNREACHABLE: status.UNAVAILABLE,
};

/** What was thrown for no reason that a client could mend is logged, and told in no detail. */
export function statusOf(error: unknown, log: Pick<Log, 'error'>): StatusObject {
  const metadata = new Metadata();
  if (!(error instanceof AppError)) {
    log.error(
      `Cannot answer a request to Hubble's API: ${error instanceof Error ? error.stack : errorText(error)}`,
    );
    return { code: status.INTERNAL, details: 'The server made a mistake; its log says more', metadata };
  }
  metadata.set(OWN_CODE, error.code);
  const details = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
  return { code: STATUS_OF[error.code] ?? status.UNKNOWN, details, metadata };
}

const CODE_OF: Readonly<Record<number, HubbleErrorCode>> = {
  [status.UNAVAILABLE]: 'HUBBLE_UNREACHABLE',
  [status.DEADLINE_EXCEEDED]: 'HUBBLE_UNREACHABLE',
  [status.UNIMPLEMENTED]: 'HUBBLE_UNSUPPORTED',
  [status.RESOURCE_EXHAUSTED]: 'HUBBLE_BUSY',
};

/** The library says both with one code: a server that takes no more streams, and a message that is over a limit. */
const TOO_LARGE = /message larger than max/i;

const MOST_DETAILS = 1000;

/** What a call to `target` failed with. The server's sentence is not trusted to be harmless to a terminal. */
export function appErrorOf(error: ServiceError, target: string): AppError {
  const told = String(error.metadata?.get(OWN_CODE)[0] ?? '');
  const code = /^(?:HUBBLE|FLOW)_[A-Z_]{1,60}$/.test(told) ? told : codeOf(error);
  const details = error.details || error.message;
  const said = (told === '' ? plainly(details) : details)
    .slice(0, MOST_DETAILS)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  const isOurs = code === 'HUBBLE_UNREACHABLE' && told === '';
  // The cause would say the same once more.
  return new AppError(code, `Cannot ask Hubble: ${said}: received from ${target}`, isOurs ? UNREACHABLE : {});
}

const UNREACHABLE = { hint: HUBBLE_ERRORS.HUBBLE_UNREACHABLE.cure };

/** The library tells of a connection that cannot be made in a form for its makers. */
function plainly(details: string): string {
  const [, reason] =
    /^No connection established\. Last error: (?:Error: )?(.*?)\. Resolution note:/s.exec(details) ?? [];
  return reason === undefined ? details : `nobody answers: ${reason}`;
}

function codeOf({ code, details }: ServiceError): HubbleErrorCode {
  if (code === status.RESOURCE_EXHAUSTED && TOO_LARGE.test(details)) return 'HUBBLE_TOO_LARGE';
  return CODE_OF[code] ?? 'HUBBLE_REFUSED';
}

export function isCancelled(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === status.CANCELLED;
}
