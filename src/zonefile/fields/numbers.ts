/** Numbers, times and mnemonics in record data. */
import { parseType, typeName } from '../../dns/codes.ts';
import { type Reader, readU8, readU16, readU32 } from '../../dns/reader.ts';
import { writerOf, writeU8, writeU16, writeU32 } from '../../dns/writer.ts';
import { refuseToken, takeToken } from '../token-cursor.ts';
import { parseTtl } from '../ttl.ts';
import { type Field, NO_BYTES } from './field.ts';

type Parse = (text: string) => number | undefined;
type Format = (value: number) => string;

function sized(size: 1 | 2 | 4, { what, parse = decimal, format = String }: Shape): Field {
  const most = 256 ** size - 1;
  const read: (reader: Reader) => number = size === 1 ? readU8 : size === 2 ? readU16 : readU32;
  const write = size === 1 ? writeU8 : size === 2 ? writeU16 : writeU32;
  return {
    parse(cursor) {
      const token = takeToken(cursor, what);
      const value = parse(token.text);
      if (value === undefined || value > most) {
        refuseToken(cursor, token, { what: `${what} from 0 to ${most} is expected` });
        return NO_BYTES;
      }
      const writer = writerOf(size);
      write(writer, value);
      return writer.bytes;
    },
    format: (reader) => format(read(reader)),
  };
}

interface Shape {
  readonly what: string;
  readonly parse?: Parse;
  readonly format?: Format;
}

function decimal(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function named(table: Readonly<Record<string, number>>): Parse {
  const known = new Map(Object.entries(table));
  return (text) => decimal(text) ?? known.get(text.toUpperCase());
}

/** RFC 4034 appendix A.1 and the registry's later entries. */
const ALGORITHMS = {
  DELETE: 0,
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  'RSASHA1-NSEC3-SHA1': 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

/** RFC 4398 section 2.1. */
const CERTIFICATE_TYPES = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
};

export const u8: Field = sized(1, { what: 'a number' });
export const u16: Field = sized(2, { what: 'a number' });
export const u32: Field = sized(4, { what: 'a number' });
/** Seconds, with or without units. */
export const seconds: Field = sized(4, { what: 'a time', parse: (text) => decimal(text) ?? parseTtl(text) });
/** A number or its mnemonic; written as a number, as RFC 4034 section 2.2 allows. */
export const algorithm: Field = sized(1, { what: 'an algorithm', parse: named(ALGORITHMS) });
export const certificateType: Field = sized(2, {
  what: 'a certificate type',
  parse: named(CERTIFICATE_TYPES),
});
export const recordType: Field = sized(2, { what: 'a record type', parse: parseType, format: typeName });
/** `20260101120000` in UTC, or seconds (RFC 4034 section 3.2). */
export const signatureTime: Field = sized(4, { what: 'a time', parse: parseTime, format: formatTime });

/** Seconds since 1970 modulo 2^32. */
function parseTime(text: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined) return decimal(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const isReal = formatTime(ms / 1000) === text;
  return isReal ? ms / 1000 : undefined;
}

function formatTime(value: number): string {
  return new Date(value * 1000).toISOString().slice(0, 19).replace(/\D/g, '');
}
