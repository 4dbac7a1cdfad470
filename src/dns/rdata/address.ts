/** A and AAAA (RFC 1035 section 3.4.1, RFC 3596). */
import { type Ip, ipBytes, ipFamily, ipFromBytes } from '../../net/ip.ts';
import { CLASS, TYPE } from '../codes.ts';
import type { ResourceRecord } from '../message.ts';
import type { Name } from '../name.ts';

/** A or AAAA by the family of `ip`. */
export function addressRecord(name: Name, ttlSeconds: number, ip: Ip): ResourceRecord {
  const type = ipFamily(ip) === 4 ? TYPE.A : TYPE.AAAA;
  return { name, type, class: CLASS.IN, ttlSeconds, rdata: ipBytes(ip) };
}

/** `ip` must be IPv4; an IPv6 address here is the caller's bug. */
export function aRecord(name: Name, ttlSeconds: number, ip: Ip): ResourceRecord {
  return ofFamily(addressRecord(name, ttlSeconds, ip), TYPE.A);
}

/** `ip` must be IPv6; IPv4 here is the caller's bug. */
export function aaaaRecord(name: Name, ttlSeconds: number, ip: Ip): ResourceRecord {
  return ofFamily(addressRecord(name, ttlSeconds, ip), TYPE.AAAA);
}

/** Undefined for other types and for data that is no address. */
export function recordAddress(record: ResourceRecord): Ip | undefined {
  const size = record.type === TYPE.A ? 4 : record.type === TYPE.AAAA ? 16 : 0;
  return size !== 0 && record.rdata.length === size ? ipFromBytes(record.rdata) : undefined;
}

function ofFamily(record: ResourceRecord, type: number): ResourceRecord {
  if (record.type !== type) throw new Error(`Cannot make an address record: wrong family for ${record.name}`);
  return record;
}
