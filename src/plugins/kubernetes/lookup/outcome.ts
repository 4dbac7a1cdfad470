/** What a lookup found, before it becomes a reply: the difference between "no such name" and "no such record" is here. */

import type { ResourceRecord } from '../../../dns/message.ts';
import type { Name } from '../../../dns/name.ts';

export type Outcome =
  /** At least one answer. */
  | {
      readonly kind: 'records';
      readonly answers: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
    }
  /** An ExternalName service asked for an address: the target has still to be resolved. */
  | { readonly kind: 'alias'; readonly target: Name }
  /** The name exists, but has nothing of that type. */
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' }
  /** Zone transfers. */
  | { readonly kind: 'refused' };

export const NODATA: Outcome = { kind: 'nodata' };
export const NXDOMAIN: Outcome = { kind: 'nxdomain' };

/** No records means NODATA: callers decide beforehand that the name exists. */
export function recordsOrNodata(
  answers: readonly ResourceRecord[],
  additionals: readonly ResourceRecord[] = [],
): Outcome {
  return answers.length === 0 ? NODATA : { kind: 'records', answers, additionals };
}
