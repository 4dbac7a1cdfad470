/** Records as a zone file shows them, for people; unknown data in hexadecimal (RFC 3597 section 5). */
import { className, typeName } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { recordTarget } from '../../dns/rdata/target.ts';

/** One line without control characters: names have theirs escaped. */
export function recordText(record: ResourceRecord): string {
  const { name, type, class: of } = record;
  return `${name} ${className(of)} ${typeName(type)} ${dataText(record)}`;
}

function dataText(record: ResourceRecord): string {
  const plain = recordAddress(record) ?? recordTarget(record);
  if (plain !== undefined) return plain;
  const hex = Buffer.from(record.rdata).toString('hex');
  return `\\# ${record.rdata.length}${hex === '' ? '' : ` ${hex}`}`;
}
