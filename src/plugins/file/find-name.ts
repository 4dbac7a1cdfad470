/** Where a name stands in a zone: the walk from the apex down of RFC 1034 section 4.3.2, step 3. */
import { TYPE } from '../../dns/codes.ts';
import { canonicalName, type Name, parentName } from '../../dns/name.ts';
import { setOf, type Zone, type ZoneNode } from './zone.ts';

export type Place =
  /** The name itself, perhaps an empty non-terminal. */
  | { readonly kind: 'exact'; readonly node: ZoneNode }
  /** At or below a zone cut. */
  | { readonly kind: 'cut'; readonly node: ZoneNode }
  /** Below a DNAME. */
  | { readonly kind: 'redirected'; readonly node: ZoneNode }
  /** `encloser` is the longest name that exists above it; `wildcard` stands below that (RFC 4592 section 3.3.1). */
  | { readonly kind: 'missing'; readonly encloser: ZoneNode; readonly wildcard: ZoneNode | undefined };

/** `name` in any case, in the zone. A question for `type` DS at a cut is the parent's (RFC 4035 section 3.1.4.1). */
export function findName(zone: Zone, name: Name, type: number): Place {
  const qname = canonicalName(name);
  const path: Name[] = [];
  for (let at = qname; at !== zone.origin; ) {
    path.push(at);
    const parent = parentName(at);
    if (parent === undefined) break;
    at = parent;
  }
  let node = zone.apex;
  for (let i = path.length - 1; i >= 0; i--) {
    if (setOf(node, TYPE.DNAME) !== undefined) return { kind: 'redirected', node };
    const key = path[i] ?? qname;
    const next = zone.nodes.get(key);
    if (next === undefined) return { kind: 'missing', encloser: node, wildcard: wildcardBelow(zone, node) };
    if (setOf(next, TYPE.NS) !== undefined && !(i === 0 && type === TYPE.DS))
      return { kind: 'cut', node: next };
    node = next;
  }
  return { kind: 'exact', node };
}

function wildcardBelow(zone: Zone, { name }: ZoneNode): ZoneNode | undefined {
  return zone.nodes.get((name === '.' ? '*.' : `*.${name}`) as Name);
}
