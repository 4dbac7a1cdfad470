/**
 * A complete list, page by page. Pages are converted as they come, so that only slim rows are held; the rows of a list
 * that fails half-way are dropped with it. Others get their turn in between, and a row that came again stays the object
 * it was: who takes the list over then sees at a glance what is new in it.
 *
 * Three ways to ask (Kubernetes API concepts, "Semantics for get and list"): in pages from a consistent read, which is
 * the truth of the moment; from the server's cache, "any" the first time and "not older than" what we have seen after,
 * which spares etcd a read of the whole collection where a field selector leaves little of it; and in one piece, where
 * a token outlived the server's memory twice.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ObjectKey } from '../../cluster/rows.ts';
import { AppError, errorCode } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { KubeAnswerError } from '../answer-error.ts';
import type { KubeClient, Query } from '../client.ts';
import type { NamedRow } from '../convert/conversion.ts';
import type { KubeErrorCode } from '../errors.ts';
import { excerpt, recordOf, textOf } from '../json-fields.ts';
import { sameRow } from '../same-row.ts';

const PAGE_LIMIT = 500;
/** For objects so large that a page of the usual size is more than the client takes. */
const SMALL_PAGE_LIMIT = 20;

/** A million objects; a server that has ever another page has no list. */
const PAGES_MAX = 2_000;

/** So many milliseconds of converting, then others get their turn. */
const TURN_MS = 2;

export interface ListPagesSpec<Row> {
  readonly client: KubeClient;
  readonly path: string;
  /** As objects say it of themselves; absent: not looked at. */
  readonly kind?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The row that is in force. */
  readonly known?: ((key: ObjectKey) => Row | undefined) | undefined;
}

export interface ListWish {
  /** From the server's cache, not older than this; absent: a consistent read, in pages. */
  readonly cachedSince?: string | undefined;
}

type Listing = Pick<ListPagesSpec<never>, 'client' | 'path' | 'kind'>;

export interface ListPages<Row> {
  readonly rows: ReadonlyMap<ObjectKey, Row>;
  /** Where a watch continues. */
  readonly resourceVersion: string;
}

type Convert<Row> = (object: unknown) => NamedRow<Row> | undefined;

/** Throws `AppError` as the client does. */
export async function listAll<Row>(
  spec: ListPagesSpec<Row>,
  convert: Convert<Row>,
  { cachedSince }: ListWish = {},
): Promise<ListPages<Row>> {
  if (cachedSince !== undefined) {
    try {
      return await listPaged(spec, convert, { resourceVersion: cachedSince });
    } catch (error) {
      if (!isUnknownVersion(error)) throw error;
    }
  }
  try {
    return await listPaged(spec, convert, { limit: PAGE_LIMIT });
  } catch (error) {
    if (errorCode(error) === 'KUBE_ANSWER_TOO_LARGE')
      return listPaged(spec, convert, { limit: SMALL_PAGE_LIMIT });
    // The continue token outlived etcd's history.
    if (errorCode(error) !== 'KUBE_GONE') throw error;
  }
  try {
    return await listPaged(spec, convert, { limit: PAGE_LIMIT });
  } catch (error) {
    if (errorCode(error) !== 'KUBE_GONE') throw error;
    return listPaged(spec, convert, {});
  }
}

/** Too old, or from a future that this server has not seen (504, "Too large resource version"). */
function isUnknownVersion(error: unknown): boolean {
  if (errorCode(error) === 'KUBE_GONE') return true;
  return error instanceof KubeAnswerError && (error.status === 504 || error.status === 400);
}

async function listPaged<Row>(
  spec: ListPagesSpec<Row>,
  convert: Convert<Row>,
  wish: Query,
): Promise<ListPages<Row>> {
  const rows = new Map<ObjectKey, Row>();
  const { labelSelector, fieldSelector, signal } = spec;
  let token: string | undefined;
  for (let pages = 1; ; pages++) {
    const query = { ...wish, continue: token, labelSelector, fieldSelector };
    const answer = await spec.client.get(spec.path, query, signal);
    const page = parsePage(answer, spec);
    let turnMs = spec.clock.monotonicMs();
    for (const object of page.items) {
      const named = convert(object);
      if (named?.row !== undefined) rows.set(named.key, asKnown(spec, named.key, named.row));
      if (spec.clock.monotonicMs() - turnMs < TURN_MS) continue;
      await nextTurn();
      turnMs = spec.clock.monotonicMs();
    }
    if (page.token === '') return { rows, resourceVersion: page.resourceVersion };
    // A proxy that answers every page from its cache would have us list for ever.
    if (page.token === token || pages >= PAGES_MAX) throw notAList(answer, spec);
    token = page.token;
  }
}

function asKnown<Row>({ known }: ListPagesSpec<Row>, key: ObjectKey, row: Row): Row {
  const old = known?.(key);
  return old !== undefined && sameRow(old, row) ? old : row;
}

function parsePage(
  answer: unknown,
  spec: Listing,
): { items: readonly unknown[]; token: string; resourceVersion: string } {
  const list = recordOf(answer);
  const metadata = recordOf(list.metadata);
  const resourceVersion = textOf(metadata.resourceVersion) ?? '';
  // An empty list may come as `null`: Go marshals a nil slice so.
  const items = list.items ?? [];
  if (resourceVersion === '' || !Array.isArray(items) || !isListOf(list.kind, spec.kind))
    throw notAList(answer, spec);
  return { items, token: textOf(metadata.continue) ?? '', resourceVersion };
}

/** Items of a list do not say what they are, so the list must; one that says nothing is believed. */
function isListOf(listKind: unknown, kind: string | undefined): boolean {
  return kind === undefined || listKind === undefined || listKind === `${kind}List` || listKind === 'List';
}

function notAList(answer: unknown, spec: Listing): AppError {
  const code: KubeErrorCode = 'KUBE_BAD_ANSWER';
  return new AppError(
    code,
    `Cannot list ${spec.path} at ${spec.client.server}: the answer is no page of a list: received ${excerpt(answer)}`,
  );
}
