/**
 * The names that mean this machine and no other, and what is known of them (dns-server 3.19): RFC 6761 section 6.3 for
 * `localhost.`, RFC 6303 section 4 for the reverse zones. Pure: a question in, sections out.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { Question, ResourceRecord } from '../../dns/message.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { addressRecord } from '../../dns/rdata/address.ts';
import { soaRecord } from '../../dns/rdata/soa.ts';
import { nsRecord, ptrRecord } from '../../dns/rdata/target.ts';
import type { Ip } from '../../net/ip.ts';
import { matchingZone } from '../zones.ts';

/** A week. */
const TTL_SECONDS = 604_800;
const LOCALHOST = 'localhost.' as Name;
const ONE = '1.0.0.127.in-addr.arpa.' as Name;
const ZONES: readonly Name[] = [
  LOCALHOST,
  '0.in-addr.arpa.' as Name,
  '127.in-addr.arpa.' as Name,
  '255.in-addr.arpa.' as Name,
];

export interface LocalContent {
  readonly rcode: number;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
}

/** What names below `localhost.` say: addresses, and nothing else. */
export function loopbackContent({ name, type }: Question): LocalContent {
  return addressContent(name, type) ?? nodata(name);
}

export function isInLocalZone(name: Name): boolean {
  return matchingZone(ZONES, name) !== undefined;
}

/** Undefined for names outside of the local zones. */
export function zoneContent({ name, type }: Question): LocalContent | undefined {
  const canonical = canonicalName(name);
  const zone = matchingZone(ZONES, canonical);
  if (zone === undefined) return undefined;
  if (canonical === zone) return apexContent(zone, name, type);
  // In the spelling of the question.
  const origin = name.slice(-zone.length) as Name;
  if (canonical !== ONE) return { rcode: RCODE.NXDOMAIN, answers: [], authorities: [soa(origin)] };
  return type === TYPE.PTR ? answer(ptrRecord(name, TTL_SECONDS, LOCALHOST)) : nodata(origin);
}

function apexContent(zone: Name, name: Name, type: number): LocalContent {
  if (type === TYPE.SOA) return answer(soa(name));
  if (type === TYPE.NS) return answer(nsRecord(name, TTL_SECONDS, LOCALHOST));
  return (zone === LOCALHOST ? addressContent(name, type) : undefined) ?? nodata(name);
}

function addressContent(name: Name, type: number): LocalContent | undefined {
  if (type === TYPE.A) return answer(addressRecord(name, TTL_SECONDS, '127.0.0.1' as Ip));
  return type === TYPE.AAAA ? answer(addressRecord(name, TTL_SECONDS, '::1' as Ip)) : undefined;
}

function answer(record: ResourceRecord): LocalContent {
  return { rcode: RCODE.NOERROR, answers: [record], authorities: [] };
}

function nodata(owner: Name): LocalContent {
  return { rcode: RCODE.NOERROR, answers: [], authorities: [soa(owner)] };
}

function soa(owner: Name): ResourceRecord {
  return soaRecord(owner, TTL_SECONDS, {
    mname: LOCALHOST,
    rname: 'root.localhost.' as Name,
    serial: 1,
    refreshSeconds: 0,
    retrySeconds: 0,
    expireSeconds: 0,
    minimumSeconds: TTL_SECONDS,
  });
}
