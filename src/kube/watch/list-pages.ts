/**
 * A complete list, page by page. Pages are converted as they come, so that only slim rows are held; the rows of a list
 * that fails half-way are dropped with it. Others get their turn in between, and a row that came again stays the object
 * it was: who takes the list over then sees at a glance what is new in it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ObjectKey } from '../../cluster/rows.ts';
import { AppError, errorCode } from '../../fault/app-error.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { KubeClient } from '../client.ts';
import type { NamedRow } from '../convert/conversion.ts';
import type { KubeErrorCode } from '../errors.ts';
import { recordOf, textOf } from '../json-fields.ts';
import { sameRow } from '../same-row.ts';

const PAGE_LIMIT = 500;

/** So many milliseconds of converting, then others get their turn. */
const TURN_MS = 2;

export interface ListPagesSpec<Row> {
  readonly client: KubeClient;
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The row that is in force. */
  readonly known?: ((key: ObjectKey) => Row | undefined) | undefined;
}

type Listing = Pick<ListPagesSpec<never>, 'client' | 'path'>;

export interface ListPages<Row> {
  readonly rows: ReadonlyMap<ObjectKey, Row>;
  /** Where a watch continues. */
  readonly resourceVersion: string;
}

/** Throws `AppError` as the client does. */
export async function listAll<Row>(
  spec: ListPagesSpec<Row>,
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
  spec: ListPagesSpec<Row>,
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
    if (page.token === token) throw notAList(answer, spec);
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
  if (resourceVersion === '' || !Array.isArray(items)) throw notAList(answer, spec);
  return { items, token: textOf(metadata.continue) ?? '', resourceVersion };
}

function notAList(answer: unknown, spec: Listing): AppError {
  const code: KubeErrorCode = 'KUBE_BAD_ANSWER';
  const received = JSON.stringify(answer)?.slice(0, 80) ?? 'nothing';
  return new AppError(
    code,
    `Cannot list ${spec.path} at ${spec.client.server}: the answer is no page of a list: received ${received}`,
  );
}
