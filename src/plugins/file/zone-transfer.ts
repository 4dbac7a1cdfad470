/** A whole zone for `transfer`: SOA first and last (RFC 5936 section 2.2), glue and what is below cuts included. */
import type { ResourceRecord } from '../../dns/message.ts';
import type { Zone } from './zone.ts';

/** Bytes of records in a message, uncompressed: few enough for slow readers, many enough for few messages. */
const BATCH_BYTES = 16_384;
/** Type, class, TTL, length. */
const RECORD_HEAD = 10;

/** Who has this serial or a later one gets the SOA alone (RFC 1995 section 2). */
export function transferZone(
  zone: Zone,
  sinceSerial: number | undefined,
): Iterable<readonly ResourceRecord[]> {
  if (sinceSerial !== undefined && isCurrent(sinceSerial, zone.soaData.serial)) return [[zone.soa]];
  return batches(zone);
}

/** Serial numbers go round in a circle (RFC 1982 section 3.2). */
function isCurrent(theirs: number, ours: number): boolean {
  return ((theirs - ours) | 0) >= 0;
}

function* batches({ soa, nodes }: Zone): Iterable<readonly ResourceRecord[]> {
  let batch = [soa];
  let bytes = 0;
  for (const { sets } of nodes.values()) {
    for (const record of sets.flat()) {
      if (record === soa) continue;
      const size = record.name.length + RECORD_HEAD + record.rdata.length;
      if (bytes + size > BATCH_BYTES && batch.length > 0) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(record);
      bytes += size;
    }
  }
  yield [...batch, soa];
}
