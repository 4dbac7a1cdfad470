/**
 * `bpf lb list`: the kernel's redirect maps in the layout of `cilium-dbg bpf lb list` (local-redirect-policy 3.5). Slot 0
 * stands for the frontend itself, with its flags; slots from 1 are its backends.
 */
import type { DumpedFrontend, DumpedTuple } from '../../datapath/dump.ts';
import { ipFamily } from '../../net/ip.ts';
import { formatAddressPort } from '../../net/port.ts';
import { formatColumns } from '../../policy/columns.ts';
import { sortTuples } from '../../policy/order.ts';

/** Ordered by address, port and protocol. */
export function formatLbList(frontends: readonly DumpedFrontend[]): string {
  const rows = sortTuples(frontends).flatMap(lbRows);
  return formatColumns([['SERVICE ADDRESS', 'BACKEND ADDRESS (REVNAT_ID) (SLOT)'], ...rows]);
}

/** Key text to row texts; ready for JSON.stringify. */
export function lbListJson(
  frontends: readonly DumpedFrontend[],
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    sortTuples(frontends)
      .flatMap(lbRows)
      .map(([key, row]) => [key, [row]]),
  );
}

function lbRows(frontend: DumpedFrontend): readonly (readonly [key: string, row: string])[] {
  const key = (slot: number) => `${formatTuple(frontend)} (${slot})`;
  const nowhere = ipFamily(frontend.address) === 4 ? '0.0.0.0:0' : '[::]:0';
  const flags = frontend.skipFromBackend ? 'LocalRedirect, SkipFromBackend' : 'LocalRedirect';
  return [
    [key(0), `${nowhere} (${frontend.id}) (0) [${flags}]`],
    ...frontend.slots.map(({ backend, backendId }, index) => {
      const what = backend === undefined ? undefined : formatTuple(backend);
      const row =
        what === undefined ? `backend ${backendId} not found` : `${what} (${frontend.id}) (${index + 1})`;
      return [key(index + 1), row] as const;
    }),
  ];
}

function formatTuple({ address, port, protocol }: DumpedTuple): string {
  return `${formatAddressPort(address, port)}/${protocol}`;
}
