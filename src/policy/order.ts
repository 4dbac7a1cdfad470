/**
 * The orders that make equal tables compare and print equal: frontends by address, port and protocol, objects by
 * namespace and name, rivals by age. Addresses are ordered as numbers, IPv4 first, not as text.
 */
import { type Ip, ipBytes, ipFamily } from '../net/ip.ts';
import type { Port, Protocol } from '../net/port.ts';

interface Tuple {
  readonly address: Ip;
  readonly port: Port;
  readonly protocol: Protocol;
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** Equal text means the same frontend. */
export function tupleKey({ address, port, protocol }: Tuple): string {
  return `${address} ${port}/${protocol}`;
}

/** The one with the smaller address, port and protocol comes first. */
export function sortTuples<T extends Tuple>(rows: Iterable<T>): readonly T[] {
  return [...rows]
    .map((row) => ({ row, key: sortKey(row) }))
    .sort((a, b) => compareText(a.key, b.key))
    .map(({ row }) => row);
}

export function sortByName<T extends Named>(rows: Iterable<T>): readonly T[] {
  return [...rows].sort(compareNames);
}

/** Oldest first; rows of the same second by namespace and name, so that the order never depends on arrival (R6). */
export function sortByAge<T extends Named & { readonly createdAtMs: number }>(
  rows: Iterable<T>,
): readonly T[] {
  return [...rows].sort((a, b) => a.createdAtMs - b.createdAtMs || compareNames(a, b));
}

/** By code unit: the order must not depend on the locale of the node. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function compareNames(a: Named, b: Named): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

function sortKey({ address, port, protocol }: Tuple): string {
  const bytes = Array.from(ipBytes(address), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${ipFamily(address)} ${bytes} ${String(port).padStart(5, '0')} ${protocol}`;
}
