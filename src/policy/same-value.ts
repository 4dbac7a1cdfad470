/** Whether two rows of a table say the same, so that the older object can stay and nobody has to look at it again. */

/** For values of plain objects, arrays and primitives; an absent field differs from an undefined one. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const fields = Object.keys(a);
  if (fields.length !== Object.keys(b).length) return false;
  return fields.every(
    (field) =>
      Object.hasOwn(b, field) &&
      sameValue((a as Record<string, unknown>)[field], (b as Record<string, unknown>)[field]),
  );
}
