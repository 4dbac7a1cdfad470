/** A zone as the client wrote it: answers keep the client's case (dns-server 3.4). */
import { type Name, ROOT } from '../../dns/name.ts';

/** The tail of `qname` that spells `zone`, which it must be in. Names have one text up to case, so lengths agree. */
export function zoneSpelling(zone: Name, qname: Name): Name {
  return zone === ROOT ? zone : (qname.slice(qname.length - zone.length) as Name);
}
