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
  readonly #addresses = new Map<Name, readonly Ip[]>();
  /** Lists of one address, which a list of blocked names has a million times. */
  readonly #single = new Map<Ip, readonly Ip[]>();
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

  get isFull(): boolean {
    return this.#entries >= MAX_ENTRIES;
  }

  /** For the table's maker only. What is more than it holds is left out. */
  add({ ip, names }: HostsLine): void {
    for (const name of names) {
      if (this.isFull || matchingZone(this.#options.zones, name) === undefined) continue;
      this.#addAddress(name, ip);
      if (this.#options.reverse && !name.startsWith(WILDCARD)) this.#addName(ip, name);
    }
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

  #addAddress(name: Name, ip: Ip): void {
    const known = this.#addresses.get(name);
    if (known !== undefined && (known.length >= MAX_PER_KEY || known.includes(ip))) return;
    this.#addresses.set(name, known === undefined ? this.#listOf(ip) : [...known, ip]);
    this.#entries++;
  }

  #listOf(ip: Ip): readonly Ip[] {
    const known = this.#single.get(ip);
    if (known !== undefined) return known;
    const list = [ip];
    this.#single.set(ip, list);
    return list;
  }

  #addName(ip: Ip, name: Name): void {
    const known = this.#names.get(ip);
    if (known === undefined) this.#names.set(ip, [name]);
    else if (known.length >= MAX_PER_KEY || known.includes(name)) return;
    else known.push(name);
    this.#entries++;
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

function changedKeys<K, V>(a: ReadonlyMap<K, readonly V[]>, b: ReadonlyMap<K, readonly V[]>): K[] {
  const changed: K[] = [];
  for (const [key, values] of a) if (!equalLists(values, b.get(key))) changed.push(key);
  for (const key of b.keys()) if (!a.has(key)) changed.push(key);
  return changed;
}

function equalLists<V>(a: readonly V[], b: readonly V[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((value, i) => value === b[i]);
}
