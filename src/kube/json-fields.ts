/**
 * Reading JSON that others wrote: each function takes anything and gives the wanted shape or an empty one, so that a
 * converter is a list of fields and never a list of checks. Nothing here throws.
 */
export type JsonRecord = Readonly<Record<string, unknown>>;

const EMPTY: JsonRecord = Object.freeze({});

/** The object itself, or an empty one for anything that is not an object (arrays and null are not). */
export function recordOf(value: unknown): JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonRecord) : EMPTY;
}

export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The beginning of anything as JSON, for messages; never throws, however deep the value is nested. */
export function excerpt(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
  } catch {
    // Nested beyond the stack: its type says as much as anybody needs.
    return typeof value;
  }
}

/** Labels and selectors: entries whose value is not a string are left out. */
export function textRecordOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(recordOf(value)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}

/** The first value that is not undefined of every parse; what does not parse is left out. */
export function parsedItems<T>(value: unknown, parse: (item: unknown) => T | undefined): readonly T[] {
  const parsed: T[] = [];
  for (const item of itemsOf(value)) {
    const result = parse(item);
    if (result !== undefined) parsed.push(result);
  }
  // An array that grew keeps room for 17 items, which for an address on each of fifty thousand endpoints is 7 MB.
  return parsed.slice();
}
