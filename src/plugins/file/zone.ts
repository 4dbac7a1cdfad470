/**
 * A zone as it was read: names with their records, empty non-terminals among them, and for signed zones the order that
 * NSEC is about. Never changed after it is built; a reload builds another. 100,000 records take some 40 MB.
 */
import { CLASS, TYPE, typeName } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, isSubdomain, type Name, parentName } from '../../dns/name.ts';
import { readSoa, type Soa } from '../../dns/rdata/soa.ts';
import { canonicalKey } from './canonical-order.ts';

/** Records of one name and one type; at least one. */
export type RrSet = readonly ResourceRecord[];

export interface ZoneNode {
  /** Lower case. */
  readonly name: Name;
  /** None for an empty non-terminal. Signatures are a set of their own. */
  readonly sets: readonly RrSet[];
}

export interface Zone {
  /** Lower case. */
  readonly origin: Name;
  readonly apex: ZoneNode;
  readonly soa: ResourceRecord;
  readonly soaData: Soa;
  /** By name in lower case. */
  readonly nodes: ReadonlyMap<Name, ZoneNode>;
  /** Names with NSEC records in canonical order (RFC 4034 section 6.1); empty without DNSSEC. */
  readonly chain: readonly ChainLink[];
  readonly records: number;
}

export interface ChainLink {
  readonly key: string;
  readonly node: ZoneNode;
}

/** RFC 2181 section 5: a set holds no record twice. Beyond so many, hashes find the twins. */
const FEW = 16;
/** Memory for some gigabytes: a zone beyond that is a mistake, or needs another server. */
export const MAX_RECORDS = 10_000_000;

/** So many odd records are told by name; of the others, how many there are. */
const TOLD = 3;
/** What may stand beside a CNAME (RFC 2181 section 10.1, RFC 4034 section 2.5). */
const ALIAS_COMPANY: ReadonlySet<number> = new Set([TYPE.CNAME, TYPE.RRSIG, TYPE.NSEC, TYPE.KEY, TYPE.NXT]);

const BLOCK_BYTES = 65_536;

interface NodeInMaking {
  readonly name: Name;
  sets: ResourceRecord[][];
}

export class ZoneBuilder {
  readonly #origin: Name;
  readonly #nodes = new Map<Name, NodeInMaking>();
  readonly #seen = new Map<ResourceRecord[], Set<string>>();
  readonly #store = new ByteStore();
  readonly #oddities: string[] = [];
  #odd = 0;
  #soa: ResourceRecord | undefined;
  #records = 0;

  /** `origin` in lower case. */
  constructor(origin: Name) {
    this.#origin = origin;
    this.#nodeOf(origin);
  }

  /** What the operator should hear of a zone that is served all the same, one clause each. */
  get oddities(): readonly string[] {
    const untold = this.#odd - this.#oddities.length;
    return untold === 0 ? this.#oddities : [...this.#oddities, `and ${untold} more`];
  }

  /** Of the SOA, once it has been read. */
  get serial(): number | undefined {
    return this.#soa && readSoa(this.#soa)?.serial;
  }

  /** Why there cannot be a zone with this record; nothing when it has been taken. */
  add(record: ResourceRecord): string | undefined {
    const refusal = this.#refusal(record);
    if (refusal !== undefined) return refusal;
    const key = canonicalName(record.name);
    if (!isSubdomain(this.#origin, key)) {
      this.#tell(`${record.name} is not in the zone and left out`);
      return undefined;
    }
    const node = this.#nodeOf(key);
    const set = node.sets.find(([first]) => first?.type === record.type);
    if (set !== undefined && this.#isTwin(set, record)) return undefined;
    // One spelling of the owner for the whole set, so that a reply never looks like two.
    const name = set?.[0]?.name ?? (record.name === key ? node.name : ownText(record.name));
    const kept = { ...record, name, rdata: this.#store.keep(record.rdata) };
    put(node, set, kept);
    this.#records++;
    if (record.type === TYPE.SOA) this.#soa = kept;
    this.#lookAtAliases(node, record);
    return undefined;
  }

  /** Undefined without a SOA at the zone's own name. */
  build(): Zone | undefined {
    const soa = this.#soa;
    const soaData = soa && readSoa(soa);
    const apex = this.#nodes.get(this.#origin);
    if (soa === undefined || soaData === undefined || apex === undefined) return undefined;
    const [origin, nodes, records] = [this.#origin, this.#nodes, this.#records];
    return { origin, apex, soa, soaData, nodes, chain: chainOf(nodes.values()), records };
  }

  #refusal({ name, type, class: recordClass, rdata }: ResourceRecord): string | undefined {
    if (recordClass !== CLASS.IN) return `only class IN is served: received ${name}`;
    if (type === TYPE.NSEC3 || type === TYPE.NSEC3PARAM) {
      return `NSEC3 zones are not supported, sign the zone with NSEC: received ${name} ${typeName(type)}`;
    }
    if (this.#records >= MAX_RECORDS) return `a zone holds at most ${MAX_RECORDS} records`;
    if (type !== TYPE.SOA || !isSubdomain(this.#origin, name)) return undefined;
    if (canonicalName(name) !== this.#origin) return `a SOA belongs to the zone's own name: received ${name}`;
    const isSecond = this.#soa !== undefined && Buffer.compare(this.#soa.rdata, rdata) !== 0;
    return isSecond ? `the zone has two different SOA records: received ${name}` : undefined;
  }

  #lookAtAliases(node: NodeInMaking, { name, type }: ResourceRecord): void {
    const aliases = node.sets.find(([first]) => first?.type === TYPE.CNAME);
    if (aliases === undefined) return;
    if (type === TYPE.CNAME && aliases.length > 1) this.#tell(`${name} has several CNAME records`);
    const alone = node.sets.every(([first]) => first === undefined || ALIAS_COMPANY.has(first.type));
    if (!alone) this.#tell(`${name} has a CNAME beside other records, which are hidden by it`);
  }

  #tell(oddity: string): void {
    this.#odd++;
    if (this.#oddities.length < TOLD) this.#oddities.push(oddity);
  }

  #isTwin(set: ResourceRecord[], { rdata }: ResourceRecord): boolean {
    if (set.length < FEW) return set.some((other) => Buffer.compare(other.rdata, rdata) === 0);
    const known = this.#seen.get(set) ?? new Set(set.map((other) => other.rdata.toHex()));
    this.#seen.set(set, known);
    const text = rdata.toHex();
    if (known.has(text)) return true;
    known.add(text);
    return false;
  }

  /** With every name between it and the apex (RFC 4592 section 2.2.2). */
  #nodeOf(key: Name): NodeInMaking {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const node = { name: ownText(key), sets: [] };
    this.#nodes.set(node.name, node);
    const parent = node.name === this.#origin ? undefined : parentName(node.name);
    if (parent !== undefined) this.#nodeOf(parent);
    return node;
  }
}

/** Arrays that are pushed to or spread keep room for a dozen more, which nearly all names and sets will never need. */
function put(node: NodeInMaking, set: ResourceRecord[] | undefined, record: ResourceRecord): void {
  if (set === undefined) node.sets = node.sets.concat([[record]]);
  else if (set.length >= FEW) set.push(record);
  else node.sets = node.sets.map((each) => (each === set ? set.concat(record) : each));
}

/** Bytes of many records in one buffer: a buffer of its own would cost each of them 120 bytes more. */
class ByteStore {
  #block = new Uint8Array(0);
  #used = 0;

  keep(bytes: Uint8Array): Uint8Array {
    if (this.#used + bytes.length > this.#block.length) {
      this.#block = new Uint8Array(Math.max(BLOCK_BYTES, bytes.length));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += bytes.length;
    this.#block.set(bytes, start);
    return this.#block.subarray(start, this.#used);
  }
}

/** A copy: a piece of the file's text would keep the whole text in memory. */
function ownText(name: Name): Name {
  return Buffer.from(name, 'latin1').toString('latin1') as Name;
}

function chainOf(nodes: Iterable<ZoneNode>): readonly ChainLink[] {
  const links: ChainLink[] = [];
  for (const node of nodes) {
    if (setOf(node, TYPE.NSEC) !== undefined) links.push({ key: canonicalKey(node.name), node });
  }
  return links.sort((a, b) => (a.key < b.key ? -1 : 1));
}

export function setOf(node: ZoneNode, type: number): RrSet | undefined {
  for (const set of node.sets) if (set[0]?.type === type) return set;
  return undefined;
}
