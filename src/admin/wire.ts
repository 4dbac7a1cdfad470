/**
 * What goes over the admin socket: one request as a line of JSON, then lines of JSON until an end. Requests are small
 * and answers are streamed, so that a dump of a large cache takes no memory on either side.
 */

export interface AdminRequest {
  /** `cache dump`, `log level`. */
  readonly command: string;
  readonly args: Readonly<Record<string, string | boolean>>;
}

export type AdminAnswer =
  | { readonly line: string }
  | { readonly end: true }
  | { readonly error: { readonly code: string; readonly message: string; readonly hint?: string } };

/** Bytes; a request names a command, a DNS name and a few words. */
export const MAX_REQUEST_BYTES = 16_384;

/** Undefined when it is none. */
export function parseRequest(text: string): AdminRequest | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || !('command' in value)) return undefined;
  const { command } = value;
  const args = 'args' in value ? value.args : {};
  if (typeof command !== 'string' || typeof args !== 'object' || args === null) return undefined;
  const entries = Object.entries(args);
  if (!entries.every(([, each]) => typeof each === 'string' || typeof each === 'boolean')) return undefined;
  return { command, args: Object.fromEntries(entries) };
}

/** Undefined when it is none: the other side is not a server of ours. */
export function parseAnswer(text: string): AdminAnswer | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) return undefined;
  if ('line' in value && typeof value.line === 'string') return { line: value.line };
  if ('end' in value) return { end: true };
  return 'error' in value ? (value as AdminAnswer) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller says so with what it was reading.
    return undefined;
  }
}
