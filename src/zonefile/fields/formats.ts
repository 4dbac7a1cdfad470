/**
 * How each type's data is written: a list of fields per type. What is not here is written as bytes (RFC 3597).
 * Deliberately so for what no zone holds (OPT, TSIG, TKEY) and for what nobody writes any more (NULL, NXT, APL).
 */
import { TYPE } from '../../dns/codes.ts';
import { base64, hex, ownerHash, salt, typeBitmap } from './binary.ts';
import type { Field } from './field.ts';
import { location } from './location.ts';
import { algorithm, certificateType, recordType, seconds, signatureTime, u8, u16, u32 } from './numbers.ts';
import { serviceParameters } from './service-parameters.ts';
import { domainName, ipv4, ipv6, longText, tag, text, texts } from './texts.ts';

const ONE_NAME: readonly Field[] = [domainName];
const TWO_NAMES: readonly Field[] = [domainName, domainName];
const RANKED_NAME: readonly Field[] = [u16, domainName];
const DIGEST: readonly Field[] = [u16, algorithm, u8, hex];
const KEY: readonly Field[] = [u16, u8, algorithm, base64];
const CERTIFICATE_HASH: readonly Field[] = [u8, u8, u8, hex];
const SIGNATURE: readonly Field[] = [
  recordType,
  algorithm,
  u8,
  u32,
  signatureTime,
  signatureTime,
  u16,
  domainName,
  base64,
];
const SERVICE: readonly Field[] = [u16, domainName, serviceParameters];

export const RDATA_FORMATS: ReadonlyMap<number, readonly Field[]> = new Map([
  [TYPE.A, [ipv4]],
  [TYPE.NS, ONE_NAME],
  [TYPE.MD, ONE_NAME],
  [TYPE.MF, ONE_NAME],
  [TYPE.CNAME, ONE_NAME],
  [TYPE.SOA, [domainName, domainName, u32, seconds, seconds, seconds, seconds]],
  [TYPE.MB, ONE_NAME],
  [TYPE.MG, ONE_NAME],
  [TYPE.MR, ONE_NAME],
  [TYPE.PTR, ONE_NAME],
  [TYPE.HINFO, [text, text]],
  [TYPE.MINFO, TWO_NAMES],
  [TYPE.MX, RANKED_NAME],
  [TYPE.TXT, [texts]],
  [TYPE.RP, TWO_NAMES],
  [TYPE.AFSDB, RANKED_NAME],
  [TYPE.RT, RANKED_NAME],
  [TYPE.SIG, SIGNATURE],
  [TYPE.KEY, KEY],
  [TYPE.PX, [u16, domainName, domainName]],
  [TYPE.AAAA, [ipv6]],
  [TYPE.LOC, [location]],
  [TYPE.SRV, [u16, u16, u16, domainName]],
  [TYPE.NAPTR, [u16, u16, text, text, text, domainName]],
  [TYPE.KX, RANKED_NAME],
  [TYPE.CERT, [certificateType, u16, algorithm, base64]],
  [TYPE.DNAME, ONE_NAME],
  [TYPE.DS, DIGEST],
  [TYPE.SSHFP, [u8, u8, hex]],
  [TYPE.RRSIG, SIGNATURE],
  [TYPE.NSEC, [domainName, typeBitmap]],
  [TYPE.DNSKEY, KEY],
  [TYPE.DHCID, [base64]],
  [TYPE.NSEC3, [u8, u8, u16, salt, ownerHash, typeBitmap]],
  [TYPE.NSEC3PARAM, [u8, u8, u16, salt]],
  [TYPE.TLSA, CERTIFICATE_HASH],
  [TYPE.SMIMEA, CERTIFICATE_HASH],
  [TYPE.CDS, DIGEST],
  [TYPE.CDNSKEY, KEY],
  [TYPE.OPENPGPKEY, [base64]],
  [TYPE.CSYNC, [u32, u16, typeBitmap]],
  [TYPE.ZONEMD, [u32, u8, u8, hex]],
  [TYPE.SVCB, SERVICE],
  [TYPE.HTTPS, SERVICE],
  [TYPE.SPF, [texts]],
  [TYPE.URI, [u16, u16, longText]],
  [TYPE.CAA, [u8, tag, longText]],
]);
