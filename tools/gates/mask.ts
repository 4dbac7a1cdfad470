/**
 * Blanks out what is not code, keeping every offset and line, so that a rule about `async` is not broken by a comment
 * that speaks of it. It knows comments, strings, templates and regular expressions well enough for code that the
 * formatter has passed; it is no parser.
 */
export interface MaskOptions {
  /** Keep the contents of quoted strings (import paths). Comments and regular expressions always go. */
  readonly keepStrings: boolean;
}

/** A slash after one of these starts a regular expression, not a division. */
const BEFORE_REGEXP = /(?:^|[([{,;:=!&|?+\-*%<>~^]|\breturn|\btypeof|\bcase|=>)\s*$/;

export function maskCode(text: string, { keepStrings }: MaskOptions): string {
  const out: string[] = [];
  /** Depths of braces at which an interpolation ends. */
  const interpolations: number[] = [];
  let braces = 0;
  let at = 0;
  const blank = (end: number) => {
    out.push(text.slice(at, end).replace(/[^\n]/g, ' '));
    at = end;
  };
  const keep = (end: number) => {
    out.push(text.slice(at, end));
    at = end;
  };
  const template = (from: number) => {
    const stop = templateEnd(text, from);
    const opensCode = text[stop - 1] === '{';
    blank(stop);
    if (opensCode) interpolations.push(braces);
  };
  while (at < text.length) {
    const char = text[at];
    const next = text[at + 1];
    if (char === '/' && next === '/') blank(endOr(text.indexOf('\n', at), text.length));
    else if (char === '/' && next === '*') blank(endOr(text.indexOf('*/', at + 2) + 2, text.length, 2));
    else if (char === "'" || char === '"') {
      const stop = stringEnd(text, at);
      if (keepStrings) keep(stop);
      else blank(stop);
    } else if (char === '`') template(at + 1);
    else if (char === '}' && interpolations.at(-1) === braces) {
      interpolations.pop();
      template(at + 1);
    } else if (char === '/' && BEFORE_REGEXP.test(text.slice(Math.max(0, at - 40), at))) {
      blank(regexpEnd(text, at));
    } else {
      if (char === '{') braces++;
      if (char === '}') braces--;
      keep(at + 1);
    }
  }
  return out.join('');
}

/** indexOf says -1 for nothing; `added` is what the caller added to it. */
function endOr(found: number, fallback: number, added = 0): number {
  return found < added ? fallback : found;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== text[start] && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return Math.min(text.length, at + 1);
}

/** Behind the closing backtick, or behind the `{` of an interpolation. */
function templateEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== '`') {
    if (text[at] === '$' && text[at + 1] === '{') return at + 2;
    at += text[at] === '\\' ? 2 : 1;
  }
  return Math.min(text.length, at + 1);
}

function regexpEnd(text: string, start: number): number {
  let at = start + 1;
  let inClass = false;
  while (at < text.length && text[at] !== '\n' && (inClass || text[at] !== '/')) {
    if (text[at] === '[') inClass = true;
    if (text[at] === ']') inClass = false;
    at += text[at] === '\\' ? 2 : 1;
  }
  return Math.min(text.length, at + 1);
}
