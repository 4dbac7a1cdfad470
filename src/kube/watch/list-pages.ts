/**
 * A complete list, page by page. Pages are converted as they come, so that only slim rows are held; the rows of a list
 * that fails half-way are dropped with it.
 */
import type { ObjectKey } from '../../cluster/rows.ts';
import { AppError, errorCode } from '../../fault/app-error.ts';
import type { KubeClient } from '../client.ts';
import type { NamedRow } from '../convert/conversion.ts';
import type { KubeErrorCode } from '../errors.ts';
import { recordOf, textOf } from '../json-fields.ts';

const PAGE_LIMIT = 500;

export interface ListPagesSpec {
  readonly client: KubeClient;
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal;
}

export interface ListPages<Row> {
  readonly rows: ReadonlyMap<ObjectKey, Row>;
  /** Where a watch continues. */
  readonly resourceVersion: string;
}

/** Throws `AppError` as the client does. */
export async function listAll<Row>(
  spec: ListPagesSpec,
  convert: (object: unknown) => NamedRow<Row> | undefined,
): Promise<ListPages<Row>> {
  try {
    return await listPaged(spec, convert, PAGE_LIMIT);
  } catch (error) {
    // The continue token outlived etcd's history: the server asks for the whole list in one piece.
    if (errorCode(error) !== 'KUBE_GONE') throw error;
    return await listPaged(spec, convert, undefined);
  }
}

async function listPaged<Row>(
  spec: ListPagesSpec,
  convert: (object: unknown) => NamedRow<Row> | undefined,
  limit: number | undefined,
): Promise<ListPages<Row>> {
  const rows = new Map<ObjectKey, Row>();
  let token: string | undefined;
  for (;;) {
    const { labelSelector, fieldSelector } = spec;
    const answer = await spec.client.get(
      spec.path,
      { limit, continue: token, labelSelector, fieldSelector },
      spec.signal,
    );
    const page = parsePage(answer, spec);
    for (const object of page.items) {
      const named = convert(object);
      if (named?.row !== undefined) rows.set(named.key, named.row);
    }
    if (page.token === '') return { rows, resourceVersion: page.resourceVersion };
    // A proxy that answers every page from its cache would have us list for ever.
    if (page.token === token) throw notAList(answer, spec);
    token = page.token;
  }
}

function parsePage(
  answer: unknown,
  spec: ListPagesSpec,
): { items: readonly unknown[]; token: string; resourceVersion: string } {
  const list = recordOf(answer);
  const metadata = recordOf(list.metadata);
  const resourceVersion = textOf(metadata.resourceVersion) ?? '';
  // An empty list may come as `null`: Go marshals a nil slice so.
  const items = list.items ?? [];
  if (resourceVersion === '' || !Array.isArray(items)) throw notAList(answer, spec);
  return { items, token: textOf(metadata.continue) ?? '', resourceVersion };
}

function notAList(answer: unknown, spec: ListPagesSpec): AppError {
  const code: KubeErrorCode = 'KUBE_BAD_ANSWER';
  const received = JSON.stringify(answer)?.slice(0, 80) ?? 'nothing';
  return new AppError(
    code,
    `Cannot list ${spec.path} at ${spec.client.server}: the answer is no page of a list: received ${received}`,
  );
}
