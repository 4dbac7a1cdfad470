/**
 * Names to addresses and back, as a hosts(5) file lists them. Built once and never changed afterwards; a reload builds a
 * new one. Names are in lower case. Deliberately absent: where the lines come from.
 */
import { type Name, parentName, parseName, ROOT } from '../../dns/name.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { matchingZone } from '../zones.ts';
import { reverseName } from './reverse-name.ts';

/** Pairs of name and address one file may hold: some 200 MB. Lists of blocked names have a tenth of it. */
export const MAX_ENTRIES = 2_000_000;

/**
 * Addresses of one name, and names of one address, of which lists of blocked names have a million: an answer of 64 KiB
 * holds no more than this, at sixteen bytes a record.
 */
const MAX_PER_KEY = 4095;

const WILDCARD = '*.';

/** A hosts line: an address and its names. */
export interface HostsLine {
  readonly ip: Ip;
  readonly names: readonly Name[];
}

/** Undefined for blank lines and comments, `false` for what is neither those nor an address and its names. */
export function parseHostsLine(line: string): HostsLine | false | undefined {
  const comment = line.indexOf('#');
  const words = (comment < 0 ? line : line.slice(0, comment)).trim().split(/\s+/);
  const [address = '', ...rest] = words;
  if (address === '') return undefined;
  // The scope of a link-local address means nothing in DNS.
  const ip = parseIp(address.replace(/%.*/, ''));
  const names = rest.flatMap((word) => parseName(word.toLowerCase()) ?? []);
  return ip === undefined || names.length === 0 || names.length < rest.length ? false : { ip, names };
}

export interface HostTableOptions {
  /** Names outside are not taken. */
  readonly zones: readonly Name[];
  /** Addresses lead back to names. */
  readonly reverse: boolean;
}

export class HostTable {
  readonly #addresses = new Map<Name, Ip[]>();
  readonly #names = new Map<Ip, Name[]>();
  readonly #options: HostTableOptions;
  #entries = 0;

  constructor(options: HostTableOptions) {
    this.#options = options;
  }

  /** Addresses under names, and names under addresses. */
  get entries(): number {
    return this.#entries;
  }

  /** False when the table is full. For its maker only. */
  add({ ip, names }: HostsLine): boolean {
    for (const name of names) {
      if (matchingZone(this.#options.zones, name) === undefined) continue;
      if (this.#entries >= MAX_ENTRIES) return false;
      this.#entries += append(this.#addresses, name, ip);
      if (this.#options.reverse && !name.startsWith(WILDCARD)) this.#entries += append(this.#names, ip, name);
    }
    return true;
  }

  addresses(name: Name): readonly Ip[] | undefined {
    return this.#addresses.get(name);
  }

  /** Those of the wildcard that stands for the name's first label, and only for that. */
  wildcardAddresses(name: Name): readonly Ip[] | undefined {
    const parent = parentName(name);
    if (parent === undefined) return undefined;
    return this.#addresses.get((parent === ROOT ? WILDCARD : `${WILDCARD}${parent}`) as Name);
  }

  names(ip: Ip): readonly Name[] {
    return this.#names.get(ip) ?? [];
  }

  /** Every name whose answer differs between the two tables, wildcards as the name above them. */
  changes(other: HostTable): Name[] {
    const names = changedKeys(this.#addresses, other.#addresses);
    const changed = new Set(
      names.map((name) => (name.startsWith(WILDCARD) ? (parentName(name) ?? name) : name)),
    );
    for (const ip of changedKeys(this.#names, other.#names)) changed.add(reverseName(ip));
    return [...changed];
  }
}

/** Makes a table of lines, in their order. */
export function hostTable(lines: readonly HostsLine[], options: HostTableOptions): HostTable {
  const table = new HostTable(options);
  for (const line of lines) table.add(line);
  return table;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): number {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else if (list.length >= MAX_PER_KEY || list.includes(value)) return 0;
  else list.push(value);
  return 1;
}

function changedKeys<K, V>(a: ReadonlyMap<K, readonly V[]>, b: ReadonlyMap<K, readonly V[]>): K[] {
  const changed: K[] = [];
  for (const [key, values] of a) if (!equalLists(values, b.get(key))) changed.push(key);
  for (const key of b.keys()) if (!a.has(key)) changed.push(key);
  return changed;
}

function equalLists<V>(a: readonly V[], b: readonly V[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, i) => value === b[i]);
}
