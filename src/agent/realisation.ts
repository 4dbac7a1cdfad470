/** Joins the table that is wanted with the rows the datapath has: how far each policy has come in the kernel maps. */
import type { FrontendRow } from '../datapath/datapath.ts';
import { formatAddressPort } from '../net/port.ts';
import type { Frontend, PolicyState, ServiceTable } from '../policy/table.ts';
import type { Realisation, ServiceRowJson } from './wire.ts';

/** One per policy of the table, in its order. */
export function realisations(table: ServiceTable, rows: readonly FrontendRow[]): readonly Realisation[] {
  const byTuple = indexRows(rows);
  return table.policies.map((state) => realisationOf(state, byTuple));
}

/**
 * Every frontend of the cluster, as `listFrontends` has it, each with the kernel's row if it has one. What the kernel still redirects from before a
 * restart stands in the place of what the table says, because that is where packets go.
 */
export function serviceRows(
  frontends: readonly Frontend[],
  rows: readonly FrontendRow[],
  inherited: readonly FrontendRow[] = [],
): readonly ServiceRowJson[] {
  const byTuple = indexRows(rows);
  const left = indexRows(inherited);
  const listed = frontends.map((frontend): ServiceRowJson => {
    const key = tupleOf(frontend);
    const row = frontend.type === 'LocalRedirect' ? byTuple.get(key) : left.get(key);
    left.delete(key);
    if (row === undefined) return { frontend };
    const shown =
      frontend.type === 'LocalRedirect' ? frontend : { ...row.frontend, service: frontend.service };
    return { id: row.id, frontend: shown, status: row.status };
  });
  return [...listed, ...[...left.values()].map(({ id, frontend, status }) => ({ id, frontend, status }))];
}

function realisationOf(state: PolicyState, byTuple: ReadonlyMap<string, FrontendRow>): Realisation {
  const { policy } = state;
  const redirected = state.frontends.filter(({ type }) => type === 'LocalRedirect');
  if (redirected.length === 0) return { policy, state: 'none' };
  const rows = redirected.map((frontend) => byTuple.get(tupleOf(frontend)));
  const failed = rows.find((row) => row?.status.state === 'error');
  if (failed !== undefined) {
    return { policy, state: 'error', error: failed.status.error ?? 'unknown' };
  }
  const doneAtMs = rows.map((row) => (row?.status.state === 'done' ? row.status.sinceMs : Number.NaN));
  const realisedAtMs = Math.max(...doneAtMs);
  return Number.isNaN(realisedAtMs) ? { policy, state: 'pending' } : { policy, state: 'done', realisedAtMs };
}

function indexRows(rows: readonly FrontendRow[]): Map<string, FrontendRow> {
  return new Map(rows.map((row) => [tupleOf(row.frontend), row]));
}

function tupleOf({ address, port, protocol }: Frontend): string {
  return `${formatAddressPort(address, port)}/${protocol}`;
}
