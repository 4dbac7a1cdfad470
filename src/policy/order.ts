/**
 * The orders that make equal tables compare and print equal: frontends by address, port and protocol, objects by
 * namespace and name, rivals by age. Addresses are ordered as numbers, IPv4 first, not as text.
 */
import { type Ip, ipBytes, ipFamily } from '../net/ip.ts';
import type { Port, Protocol } from '../net/port.ts';

const DOT = '.'.charCodeAt(0);
const ZERO = '0'.charCodeAt(0);

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
  const list = [...rows];
  if (list.length < 2) return list;
  return list
    .map((row) => ({ row, key: sortKey(row) }))
    .sort((a, b) => compareText(a.key, b.key))
    .map(({ row }) => row);
}

/** `list` is in order; so is what comes back. A few rows find their places without the others being looked at again. */
export function insertTuples<T extends Tuple>(list: readonly T[], rows: Iterable<T>): readonly T[] {
  const more = [...rows];
  if (more.length ** 2 > list.length) return sortTuples([...list, ...more]);
  const merged = [...list];
  for (const row of more) merged.splice(placeOf(merged, sortKey(row)), 0, row);
  return merged;
}

function placeOf(list: readonly Tuple[], key: string): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = list[middle];
    if (row !== undefined && sortKey(row) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function sortByName<T extends Named>(rows: Iterable<T>): readonly T[] {
  return [...rows].sort(compareNames);
}

/** Oldest first; rows of the same second by namespace and name, so that the order never depends on arrival (R6). */
export function sortByAge<T extends Named & { readonly createdAtMs: number }>(
  rows: Iterable<T>,
): readonly T[] {
  return [...rows].sort(compareAge);
}

export function compareAge<T extends Named & { readonly createdAtMs: number }>(a: T, b: T): number {
  return a.createdAtMs - b.createdAtMs || compareNames(a, b);
}

/** By code unit: the order must not depend on the locale of the node. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function compareNames(a: Named, b: Named): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

/** One UTF-16 unit per two bytes of the address and one for the port: text order, by code unit, is numeric order. */
function sortKey({ address, port, protocol }: Tuple): string {
  return addressKey(address) + String.fromCharCode(port) + protocol;
}

/** The dotted form is by far the most frequent and is read without being turned into bytes first. */
function addressKey(address: Ip): string {
  if (ipFamily(address) === 4) {
    const [a = 0, b = 0, c = 0, d = 0] = dottedBytes(address);
    return `4${String.fromCharCode((a << 8) | b, (c << 8) | d)}`;
  }
  let key = '6';
  const bytes = ipBytes(address);
  for (let i = 0; i < bytes.length; i += 2) {
    key += String.fromCharCode(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  }
  return key;
}

function dottedBytes(address: Ip): readonly number[] {
  const bytes = [0];
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) bytes.push(0);
    else bytes.push((bytes.pop() ?? 0) * 10 + code - ZERO);
  }
  return bytes;
}
