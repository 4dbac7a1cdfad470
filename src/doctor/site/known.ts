/**
 * A part of what there is to know, or why it is not known. The two are told apart everywhere, so that "nothing is wrong"
 * is never said of something nobody could look at.
 */
export type Known<T> = { readonly value: T } | { readonly unknown: string };

export function known<T>(value: T): { readonly value: T } {
  return { value };
}

/** `why`: one clause without a full stop, as `the API server refused to list services: forbidden`. */
export function unknown(why: string): { readonly unknown: string } {
  return { unknown: why };
}

export function isKnown<T>(part: Known<T>): part is { readonly value: T } {
  return 'value' in part;
}

/** What is known, or the fall back; for what a check can do without. */
export function knownOr<T>(part: Known<T>, otherwise: T): T {
  return isKnown(part) ? part.value : otherwise;
}
