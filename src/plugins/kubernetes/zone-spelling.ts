/** Zones as clients write them. */
import { isSubdomain, type Name, ROOT } from '../../dns/name.ts';

/** The longest of `zones` that `qname` is in, in any case. */
export function zoneOf(zones: readonly Name[], qname: Name): Name | undefined {
  let best: Name | undefined;
  for (const zone of zones) {
    if (isSubdomain(zone, qname) && zone.length > (best?.length ?? 0)) best = zone;
  }
  return best;
}

/** The tail of `qname` that spells `zone`, which it must be in. Names have one text up to case, so lengths agree. */
export function zoneSpelling(zone: Name, qname: Name): Name {
  return zone === ROOT ? zone : (qname.slice(qname.length - zone.length) as Name);
}
