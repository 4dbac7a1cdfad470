/**
 * The cluster's objects as the API server has them now, kind by kind: one that may not be listed, or takes too long, is
 * unknown with its reason, and keeps no other from being listed. Only lists are asked for.
 */
import { AppError, errorCode, errorText } from '../../fault/app-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { itemsOf, recordOf, textOf } from '../../kube/json-fields.ts';
import type { Clock } from '../../telemetry/clock.ts';
import { type Known, known, unknown } from '../site/known.ts';
import { CLUSTER_KINDS, type RawObjects } from '../site/read-cluster.ts';
import { within } from './deadline.ts';

const PAGE_LIMIT = 500;
/** Twenty thousand pods are two hundred megabytes of JSON: more takes longer than the doctor has. */
const MAX_OBJECTS = 20_000;

export interface ListClusterOptions {
  readonly clock: Clock;
  /** For all kinds together, since they are asked for together. */
  readonly timeoutMs: number;
}

/** Never throws. */
export async function listCluster(
  client: Pick<KubeClient, 'get'>,
  { clock, timeoutMs }: ListClusterOptions,
): Promise<RawObjects> {
  const lists = await Promise.all(
    Object.entries(CLUSTER_KINDS).map(async ([kind, path]) => {
      const items = await within(clock, timeoutMs, (signal) => listKind(client, path, signal));
      return [kind, 'value' in items ? items.value : items] as const;
    }),
  );
  return Object.fromEntries(lists) as unknown as RawObjects;
}

/** Where there is no API server to ask. */
export function unlistedCluster(why: string): RawObjects {
  return Object.fromEntries(
    Object.keys(CLUSTER_KINDS).map((kind) => [kind, unknown(why)]),
  ) as unknown as RawObjects;
}

async function listKind(
  client: Pick<KubeClient, 'get'>,
  path: string,
  signal: AbortSignal,
): Promise<Known<readonly unknown[]>> {
  const plural = path.slice(path.lastIndexOf('/') + 1);
  const items: unknown[] = [];
  let token: string | undefined;
  try {
    do {
      const page = recordOf(await client.get(path, { limit: PAGE_LIMIT, continue: token }, signal));
      if (!Array.isArray(page.items) && page.items !== null && page.items !== undefined) {
        return unknown(`the API server's list of ${plural} is no list`);
      }
      const kind = (textOf(page.kind) ?? '').replace(/List$/, '');
      // Items of a list do not say of what kind they are.
      for (const item of itemsOf(page.items)) items.push({ kind, ...recordOf(item) });
      const next = textOf(recordOf(page.metadata).continue) ?? '';
      token = next === '' || next === token ? undefined : next;
      if (items.length > MAX_OBJECTS) return unknown(`there are more than ${MAX_OBJECTS} ${plural}`);
    } while (token !== undefined);
    return known(items);
  } catch (error) {
    // The server knows no such kind: there are none.
    if (errorCode(error) === 'KUBE_NOT_FOUND') return known([]);
    if (signal.aborted) throw error;
    return unknown(whyNot(error));
  }
}

/** In words that are the same for all kinds, so that they are told once. */
function whyNot(error: unknown): string {
  const cause = error instanceof AppError && error.cause !== undefined ? error.cause : error;
  switch (errorCode(error)) {
    case 'KUBE_UNREACHABLE':
      return `the API server does not answer: ${errorText(cause)}`;
    case 'KUBE_FORBIDDEN':
      return 'the API server does not let these credentials list it';
    default:
      return `the API server does not list it: ${errorText(error)}`;
  }
}
