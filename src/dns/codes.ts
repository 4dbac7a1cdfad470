/**
 * Numbers of the IANA DNS parameter registries, and their names as CoreDNS prints them in logs and metric labels.
 * Only what this program decides on, makes or prints by name stands here; everything else prints as `TYPE123`.
 */

/** Record types. `Message.questions` also carries the query types from 251 on. */
export const TYPE = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  RT: 21,
  SIG: 24,
  KEY: 25,
  PX: 26,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const;

export const CLASS = { IN: 1, CS: 2, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

export const OPCODE = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5 } as const;

/** All twelve bits; from 16 on they need an OPT record (RFC 6891 section 6.1.3). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const;

/** EDNS option codes. */
export const EDNS_OPTION = {
  NSID: 3,
  SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
} as const;

const TYPE_NAMES = invert(TYPE);
const CLASS_NAMES = invert(CLASS);
const RCODE_NAMES = invert(RCODE);

/** `A`, `HTTPS`; `TYPE4711` for what has no name here (RFC 3597 section 5). */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** The inverse of `typeName`, in any case; undefined for words that are no type. */
export function parseType(text: string): number | undefined {
  return parseCode(text, 'TYPE', TYPE);
}

/** `IN`, `CH`; `CLASS42` for what has no name here. */
export function className(code: number): string {
  return CLASS_NAMES.get(code) ?? `CLASS${code}`;
}

export function parseClass(text: string): number | undefined {
  return parseCode(text, 'CLASS', CLASS);
}

/** `NOERROR`, `NXDOMAIN`; `RCODE11` for what has no name here. */
export function rcodeName(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}

/** Takes the names of `RCODE`, in any case, or the number as text (0 to 4095). */
export function parseRcode(text: string): number | undefined {
  const named = Object.entries(RCODE).find(([name]) => name === text.toUpperCase());
  if (named !== undefined) return named[1];
  return /^\d{1,4}$/.test(text) && Number(text) <= 4095 ? Number(text) : undefined;
}

function parseCode(
  text: string,
  prefix: string,
  table: Readonly<Record<string, number>>,
): number | undefined {
  const word = text.toUpperCase();
  if (Object.hasOwn(table, word)) return table[word];
  const digits = word.startsWith(prefix) ? word.slice(prefix.length) : '';
  return /^\d{1,5}$/.test(digits) && Number(digits) <= 0xffff ? Number(digits) : undefined;
}

function invert(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([name, code]) => [code, name]));
}
