/**
 * YAML and JSON files to objects with the place each was written at. What is wrong with a document costs that document:
 * syntax, aliases that grow without end, a nesting deeper than the stack. Text is bounded by whoever reads the files.
 */
import { type Document, isMap, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import { errorText } from '../../fault/app-error.ts';
import type { Place, SiteTrouble } from '../site/site.ts';

export interface WrittenObject {
  readonly object: Readonly<Record<string, unknown>>;
  readonly place: Place;
}

export interface ReadYaml {
  readonly objects: readonly WrittenObject[];
  readonly troubles: readonly SiteTrouble[];
}

/** Aliases that one document may expand: manifests have a handful, a bomb has millions. */
const MOST_ALIASES = 100;
/** Lists in lists: kubectl prints one level. */
const MOST_DEPTH = 4;

export function readYaml(file: string, text: string): ReadYaml {
  const lines = new LineCounter();
  const reading: Reading = { file, lines, objects: [], troubles: [] };
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'silent',
    });
    for (const document of documents) readDocument(reading, document, text);
  } catch (error) {
    reading.troubles.push({ subject: file, reason: errorText(error), place: { file, line: 1, column: 1 } });
  }
  return reading;
}

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  readonly objects: WrittenObject[];
  readonly troubles: SiteTrouble[];
}

function readDocument(reading: Reading, document: Document, text: string): void {
  const [error] = document.errors;
  if (error !== undefined) {
    const hint = text.includes('{{')
      ? '; it looks like a template: render it first, as with helm template'
      : '';
    refuse(reading, error.pos[0], `${error.message}${hint}`);
    return;
  }
  const { contents } = document;
  if (contents === null) return;
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    if (value === null) return;
    collect(reading, { value, node: contents, depth: 0 });
  } catch (cause) {
    refuse(reading, contents.range?.[0] ?? 0, errorText(cause));
  }
}

interface Item {
  readonly value: unknown;
  readonly node: unknown;
  readonly depth: number;
}

/** Lists are taken apart; everything else that is an object is one. */
function collect(reading: Reading, { value, node, depth }: Item): void {
  const offset = offsetOf(node);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse(
      reading,
      offset,
      `a document must be an object: received ${Array.isArray(value) ? 'a list' : typeof value}`,
    );
    return;
  }
  const object = value as Readonly<Record<string, unknown>>;
  const { kind, items } = object;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) {
    reading.objects.push({ object, place: placeAt(reading, offset) });
    return;
  }
  if (depth >= MOST_DEPTH) {
    refuse(reading, offset, `lists are nested deeper than ${MOST_DEPTH}`);
    return;
  }
  const written = isMap(node) ? node.get('items', true) : undefined;
  const nodes = isSeq(written) ? written.items : [];
  items.forEach((item: unknown, index) => {
    // Items of a list that a server printed say no kind of their own.
    const own = kind === 'List' ? {} : { apiVersion: object.apiVersion, kind: kind.slice(0, -'List'.length) };
    const whole =
      typeof item === 'object' && item !== null && !Array.isArray(item) ? { ...own, ...item } : item;
    collect(reading, { value: whole, node: nodes[index] ?? node, depth: depth + 1 });
  });
}

function offsetOf(node: unknown): number {
  return (node as Partial<Node> | undefined)?.range?.[0] ?? 0;
}

function placeAt({ file, lines }: Reading, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(1, line), column: Math.max(1, col) };
}

function refuse(reading: Reading, offset: number, reason: string): void {
  reading.troubles.push({ subject: reading.file, reason, place: placeAt(reading, offset) });
}
