/** Addresses of the hosts that records name, for the additional section (RFC 1034 section 4.3.2 step 6, RFC 9460 section 4.1). */
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, isSubdomain, type Name, ROOT } from '../../dns/name.ts';
import { recordTarget } from '../../dns/rdata/target.ts';
import { readerOf, readName } from '../../dns/reader.ts';
import { findName } from './find-name.ts';
import { signedSet } from './proof.ts';
import type { Zone } from './zone.ts';

/** A reply of thousands of targets needs no help to be too long. */
const MAX_TARGETS = 64;
const NAMING: ReadonlySet<number> = new Set([TYPE.MX, TYPE.SRV, TYPE.NS]);
const SERVICE_BINDING: ReadonlySet<number> = new Set([TYPE.SVCB, TYPE.HTTPS]);
const FAMILIES = [TYPE.A, TYPE.AAAA];

/** Of hosts in the zone: their own records, glue below a cut, or what a wildcard makes. */
export function additionalFor(
  zone: Zone,
  records: readonly ResourceRecord[],
  dnssecOk: boolean,
): readonly ResourceRecord[] {
  const seen = new Set<Name>();
  const found: ResourceRecord[] = [];
  for (const record of records) {
    const target = hostOf(record);
    if (target === undefined || seen.size >= MAX_TARGETS) continue;
    const key = canonicalName(target);
    if (seen.has(key) || !isSubdomain(zone.origin, key)) continue;
    seen.add(key);
    found.push(...addressesOf(zone, target, dnssecOk));
  }
  return found;
}

function hostOf(record: ResourceRecord): Name | undefined {
  if (NAMING.has(record.type)) return recordTarget(record);
  if (!SERVICE_BINDING.has(record.type)) return undefined;
  const reader = readerOf(record.rdata);
  reader.offset = 2;
  const target = readName(reader);
  if (reader.failure !== undefined) return undefined;
  // RFC 9460 section 2.5.2: of a record with parameters, the root means the owner.
  return target === ROOT ? record.name : target;
}

function addressesOf(zone: Zone, target: Name, dnssecOk: boolean): readonly ResourceRecord[] {
  const node = zone.nodes.get(canonicalName(target));
  if (node !== undefined) return FAMILIES.flatMap((type) => signedSet(node, type, dnssecOk));
  const place = findName(zone, target, TYPE.A);
  const wildcard = place.kind === 'missing' ? place.wildcard : undefined;
  if (wildcard === undefined) return [];
  return FAMILIES.flatMap((type) => signedSet(wildcard, type, dnssecOk)).map((record) => ({
    ...record,
    name: target,
  }));
}
