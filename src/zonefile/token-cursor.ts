/**
 * A cursor over the words of one record's data. Like the wire reader it remembers its first failure and then gives
 * harmless values, so that a format of many fields is checked once, at its end.
 */

import type { Name } from '../dns/name.ts';
import { type Failure, fail } from '../fault/result.ts';
import type { ZonefileErrorCode } from './errors.ts';
import type { ZoneToken } from './tokens.ts';

export interface TokenCursor {
  readonly tokens: readonly ZoneToken[];
  /** What relative names end in; without one they are refused. */
  readonly origin: Name | undefined;
  next: number;
  failure: (Failure & { readonly ok: false }) | undefined;
}

/** Stands for a word that is not there. */
const NOTHING: ZoneToken = { text: '', quoted: false, offset: 0 };

export function cursorOf(tokens: readonly ZoneToken[], origin: Name | undefined): TokenCursor {
  return { tokens, origin, next: 0, failure: undefined };
}

export function tokensLeft(cursor: TokenCursor): number {
  return cursor.tokens.length - cursor.next;
}

/** The next word; a failure when there is none. `what` is for its text: `an address`. */
export function takeToken(cursor: TokenCursor, what: string): ZoneToken {
  const token = cursor.tokens[cursor.next];
  if (token === undefined) {
    const last = cursor.tokens.at(-1);
    const offset = last === undefined ? 0 : last.offset + last.text.length;
    cursor.failure ??= fail('ZONE_RDATA' satisfies ZonefileErrorCode, offset, `${what} is missing`);
    return NOTHING;
  }
  cursor.next++;
  return token;
}

/** Every word that is left, joined: keys and hashes may be written in pieces. */
export function takeJoined(cursor: TokenCursor): ZoneToken {
  const rest = cursor.tokens.slice(cursor.next);
  cursor.next = cursor.tokens.length;
  return { ...(rest[0] ?? NOTHING), text: rest.map(({ text }) => text).join('') };
}

/** Remembers the first failure only. */
export function refuseToken(
  cursor: TokenCursor,
  token: ZoneToken,
  { code = 'ZONE_RDATA', what }: { code?: ZonefileErrorCode; what: string },
): void {
  cursor.failure ??= fail(code, token.offset, `${what}: received '${token.text.slice(0, 64)}'`);
}
