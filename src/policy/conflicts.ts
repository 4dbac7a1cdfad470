/**
 * One owner per frontend (local-redirect-policy R6, R7). The oldest policy that asks for a frontend owns it whether or
 * not its pods are ready now: while they are not, the contract is the ordinary service, never another policy's pods.
 * When the owner is deleted, malformed or no longer asks, the next one owns the frontend.
 */
import type { ObjectKey } from '../cluster/rows.ts';
import type { MatchedFrontend } from './match-frontends.ts';
import { tupleKey } from './order.ts';

/** Frontend, by `tupleKey`, to the policy that owns it. */
export type Claims = ReadonlyMap<string, ObjectKey>;

/** `plans` oldest first. A frontend whose ports can never agree with the policy's is not claimed. */
export function claimFrontends(
  plans: Iterable<{ readonly key: ObjectKey; readonly matched: readonly MatchedFrontend[] }>,
): Claims {
  const claims = new Map<string, ObjectKey>();
  for (const { key, matched } of plans) {
    for (const { frontend, refusal } of matched) {
      const tuple = tupleKey(frontend);
      if (refusal === undefined && !claims.has(tuple)) claims.set(tuple, key);
    }
  }
  return claims;
}
