/**
 * Label selectors as text (Kubernetes API, "Labels and Selectors"). Only the shape is checked, so that a typing error
 * stops the start with a line number instead of an API that refuses every list; the API server itself does the matching.
 */
const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?';
const KEY = `(?:${NAME}/)?${NAME}`;
const VALUE = `(?:${NAME})?`;
const VALUES = String.raw`\(\s*${VALUE}(?:\s*,\s*${VALUE})*\s*\)`;
const REQUIREMENT = String.raw`(?:!\s*${KEY}|${KEY}(?:\s*(?:==?|!=)\s*${VALUE}|\s+(?:not)?in\s+${VALUES})?)`;
const SELECTOR = new RegExp(String.raw`^\s*${REQUIREMENT}(?:\s*,\s*${REQUIREMENT})*\s*$`);

/** Longer texts are nobody's selector, and the bound keeps the check cheap. */
const MAX_LENGTH = 4096;

export function isLabelSelector(text: string): boolean {
  return text.length <= MAX_LENGTH && SELECTOR.test(text);
}
