/**
 * Domain names in presentation format (RFC 1035 section 5.1): fully qualified with the trailing dot, `\.` and `\\`
 * escaped, bytes outside 0x21-0x7e as `\DDD`. Case is kept; comparisons fold ASCII only (RFC 4343).
 * One sequence of labels has exactly one text, so `===` is equality up to case. Minted here and by the wire reader.
 */
declare const nameBrand: unique symbol;
export type Name = string & { readonly [nameBrand]: true };

export const ROOT = '.' as Name;

/** RFC 1035 section 2.3.4: the length byte keeps its two high bits for other uses. */
export const MAX_LABEL_BYTES = 63;
/** RFC 1035 section 2.3.4: length bytes and the root's zero included. */
export const MAX_NAME_BYTES = 255;

/** Nothing to escape, every label within its limit: nearly all names, taken as they stand. */
const PLAIN_NAME = /^(?:[\x21-\x2d\x2f-\x5b\x5d-\x7e]{1,63}\.)+$/;

const BACKSLASH = 0x5c;
const DOT = 0x2e;

/** The text of every byte inside a label. */
export const LABEL_TEXT: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte === DOT || byte === BACKSLASH) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 0x21 && byte <= 0x7e) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
});

/** Adds the trailing dot; text beyond ASCII becomes its UTF-8 bytes. Undefined when it is no name within the limits. */
export function parseName(text: string): Name | undefined {
  if (text === '.') return ROOT;
  const full = hasEndDot(text) ? text : `${text}.`;
  if (PLAIN_NAME.test(full) && full.length < MAX_NAME_BYTES) return full as Name;
  const labels: string[] = [];
  let label = '';
  let bytes = 0;
  let total = 1;
  for (const piece of full.matchAll(/\\(\d{3})|\\(\D)|\\|([^\\])/gsu)) {
    const [all, code, escaped, plain] = piece;
    if (all === '\\') return undefined;
    if (plain === '.') {
      total += bytes + 1;
      if (bytes === 0 || bytes > MAX_LABEL_BYTES || total > MAX_NAME_BYTES) return undefined;
      labels.push(label);
      label = '';
      bytes = 0;
      continue;
    }
    const raw = code === undefined ? new TextEncoder().encode(escaped ?? plain ?? '') : [Number(code)];
    if (code !== undefined && Number(code) > 255) return undefined;
    for (const byte of raw) label += LABEL_TEXT[byte];
    bytes += raw.length;
  }
  // Text that ends in a lone backslash has just escaped the dot that was added to it.
  return bytes > 0 ? undefined : (`${labels.join('.')}.` as Name);
}

/** Lower case, for comparing, indexing and routing. */
export function canonicalName(name: Name): Name {
  return name.toLowerCase() as Name;
}

export function equalNames(a: Name, b: Name): boolean {
  return a === b || (a.length === b.length && canonicalName(a) === canonicalName(b));
}

/** Whether `child` is `parent` or below it. */
export function isSubdomain(parent: Name, child: Name): boolean {
  if (parent === ROOT) return true;
  if (child.length <= parent.length) return equalNames(parent, child);
  const dot = child.length - parent.length - 1;
  return canonicalName(child).endsWith(canonicalName(parent)) && child[dot] === '.' && !isEscaped(child, dot);
}

/** Escaped label texts from left to right, without the root: `['www', 'example', 'org']`. */
export function nameLabels(name: Name): string[] {
  if (name === ROOT) return [];
  const whole = name.slice(0, -1);
  return name.includes('\\') ? (whole.match(/(?:\\.|[^.\\])+/gs) ?? []) : whole.split('.');
}

export function countLabels(name: Name): number {
  return nameLabels(name).length;
}

/** The name without its leftmost label; undefined for the root. */
export function parentName(name: Name): Name | undefined {
  if (name === ROOT) return undefined;
  const rest = name.slice(labelEnd(name, 0) + 1);
  return rest === '' ? ROOT : (rest as Name);
}

/** The name without as many labels on the left as make it at most `characters` long; the root when none is. */
export function upperName(name: Name, characters: number): Name {
  let start = 0;
  while (name.length - start > characters) start = labelEnd(name, start) + 1;
  return start >= name.length ? ROOT : (name.slice(start) as Name);
}

/** `labels` (escaped texts, left to right) in front of `parent`; undefined when the result is no name. */
export function joinName(labels: readonly string[], parent: Name): Name | undefined {
  const front = labels.join('.');
  if (front === '') return parent;
  return parseName(parent === ROOT ? `${front}.` : `${front}.${parent}`);
}

/** Length on the wire without compression: 1 to 255 bytes. */
export function nameBytes(name: Name): number {
  if (name === ROOT) return 1;
  if (!name.includes('\\')) return name.length + 1;
  return name.replace(/\\(?:\d{3}|.)/gs, 'x').length + 1;
}

/** Index of the unescaped dot that ends the label starting at `start`. */
function labelEnd(name: Name, start: number): number {
  let dot = name.indexOf('.', start);
  while (dot > 0 && isEscaped(name, dot)) dot = name.indexOf('.', dot + 1);
  return dot;
}

function hasEndDot(text: string): boolean {
  return text.endsWith('.') && !isEscaped(text, text.length - 1);
}

/** An odd run of backslashes in front: `a\.` is escaped, `a\\.` is a label that ends in a backslash. */
function isEscaped(text: string, index: number): boolean {
  let start = index;
  while (start > 0 && text.charCodeAt(start - 1) === BACKSLASH) start--;
  return (index - start) % 2 === 1;
}
