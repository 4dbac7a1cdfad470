/**
 * What a signed zone says besides the answer itself (RFC 4035 section 3.1): signatures, and NSEC records that prove what
 * is not there. All of it stands in the file; nothing is signed here. Every function gives nothing for unsigned zones.
 */
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import type { Name } from '../../dns/name.ts';
import { canonicalKey } from './canonical-order.ts';
import { type RrSet, setOf, type Zone, type ZoneNode } from './zone.ts';

/** The set of that type, with the signatures over it when `dnssecOk`. */
export function signedSet(node: ZoneNode, type: number, dnssecOk: boolean): RrSet {
  const set = setOf(node, type);
  if (set === undefined) return [];
  return dnssecOk && type !== TYPE.RRSIG ? withSignatures(node, set, type) : set;
}

/** Signatures over one type: its number is the first field of their data (RFC 4034 section 3.1). */
function withSignatures(node: ZoneNode, set: RrSet, type: number): RrSet {
  const signatures = setOf(node, TYPE.RRSIG)?.filter(
    ({ rdata }) => rdata[0] === type >> 8 && rdata[1] === (type & 0xff),
  );
  return signatures === undefined ? set : [...set, ...signatures];
}

/** The node has no such type: its own NSEC says so, or for an empty non-terminal the one before it. */
export function proveNoType(zone: Zone, node: ZoneNode): readonly ResourceRecord[] {
  const own = nsecOf(node);
  return own.length > 0 ? own : proveNoName(zone, node.name);
}

/** The NSEC that spans the place where the name would be. */
export function proveNoName(zone: Zone, name: Name): readonly ResourceRecord[] {
  const node = nodeBefore(zone, name);
  return node === undefined ? [] : nsecOf(node);
}

/** Neither the name nor a wildcard it could come from; one record often proves both. */
export function proveNothing(zone: Zone, name: Name, encloser: ZoneNode): readonly ResourceRecord[] {
  const first = nodeBefore(zone, name);
  const second = nodeBefore(zone, (encloser.name === '.' ? '*.' : `*.${encloser.name}`) as Name);
  return [...new Set([first, second])].flatMap((node) => (node === undefined ? [] : nsecOf(node)));
}

function nsecOf(node: ZoneNode): readonly ResourceRecord[] {
  return signedSet(node, TYPE.NSEC, true);
}

/** The last name of the chain that is not behind `name`. */
function nodeBefore({ chain }: Zone, name: Name): ZoneNode | undefined {
  if (chain.length === 0) return undefined;
  const key = canonicalKey(name);
  let [low, high] = [0, chain.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chain[middle]?.key ?? '') <= key) low = middle + 1;
    else high = middle;
  }
  return chain[low - 1]?.node;
}
