/** A collection as a list: selected, cut into pages, numbered with the version from which a watch continues. */
import { Buffer } from 'node:buffer';
import { recordOf, textOf } from '../../../kube/json-fields.ts';
import type { ApiObject } from '../api-object.ts';
import { badRequest } from '../api-refusal.ts';
import type { ObjectStore } from '../object-store.ts';
import type { ResourcePath } from './request-path.ts';
import { type Matcher, parseFieldSelector, parseLabelSelector } from './selectors.ts';

export interface ListPage {
  readonly items: readonly ApiObject[];
  /** Of the list object. */
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

/** Namespace, labelSelector and fieldSelector together. Throws `ApiRefusal` 400. */
export function matcherOf(path: ResourcePath, query: URLSearchParams): Matcher {
  const byLabel = parseLabelSelector(query.get('labelSelector') ?? '');
  const byField = parseFieldSelector(query.get('fieldSelector') ?? '', path.resource);
  const { namespace } = path;
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    byLabel(object) &&
    byField(object);
}

/**
 * Later pages are read from the present state but carry the first page's version, so that a watch from there repeats
 * whatever changed in between. Throws `ApiRefusal` 400, or 410 when that version has been forgotten.
 */
export function listPage(store: ObjectStore, path: ResourcePath, query: URLSearchParams): ListPage {
  const matches = matcherOf(path, query);
  const limit = Math.max(0, Number(query.get('limit') ?? 0) || 0);
  const token = parseToken(query.get('continue') ?? '');
  if (token !== undefined) store.eventsSince(path.resource.kind, token.version);
  const all = store.list(path.resource.kind, path.namespace).filter(matches);
  const rest = token === undefined ? all : all.filter((object) => positionOf(object) > token.after);
  const items = limit === 0 ? rest : rest.slice(0, limit);
  const last = items.at(-1);
  const version = token?.version ?? store.version();
  if (last === undefined || items.length === rest.length)
    return { items, metadata: { resourceVersion: String(version) } };
  return {
    items,
    metadata: {
      resourceVersion: String(version),
      continue: formatToken({ version, after: positionOf(last) }),
      remainingItemCount: rest.length - items.length,
    },
  };
}

interface Token {
  readonly version: number;
  readonly after: string;
}

/** The order of `ObjectStore.list`. */
function positionOf(object: ApiObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

function formatToken(token: Token): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function parseToken(text: string): Token | undefined {
  if (text === '') return undefined;
  const fields = parsedJson(Buffer.from(text, 'base64url').toString());
  const { version } = fields;
  const after = textOf(fields.after);
  if (typeof version !== 'number' || after === undefined) throw badRequest('continue key is not valid');
  return { version, after };
}

function parsedJson(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(JSON.parse(text));
  } catch {
    // Not a token of ours; the caller says so.
    return {};
  }
}
