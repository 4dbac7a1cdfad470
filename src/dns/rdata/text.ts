/** The types made of character-strings: TXT and HINFO (RFC 1035 sections 3.3.14 and 3.3.2). */
import { CLASS, TYPE } from '../codes.ts';
import type { ResourceRecord } from '../message.ts';
import type { Name } from '../name.ts';
import { bytesLeft, readCharacterString, readerOf } from '../reader.ts';
import { writeBytes, writerOf, writeU8 } from '../writer.ts';

/** RFC 1035 section 3.3: one length byte. */
const MAX_STRING_BYTES = 255;

/** Texts as UTF-8; a text beyond 255 bytes is split into several strings, as zone files with long keys expect. */
export function txtRecord(name: Name, ttlSeconds: number, texts: readonly string[]): ResourceRecord {
  return { name, type: TYPE.TXT, class: CLASS.IN, ttlSeconds, rdata: encodeStrings(texts) };
}

/** RFC 8482 answers ANY with `cpu` "RFC8482" and an empty `os`. Each at most 255 bytes. */
export function hinfoRecord(
  name: Name,
  ttlSeconds: number,
  host: { readonly cpu: string; readonly os: string },
): ResourceRecord {
  return { name, type: TYPE.HINFO, class: CLASS.IN, ttlSeconds, rdata: encodeStrings([host.cpu, host.os]) };
}

/** The strings of a TXT record as UTF-8 text; undefined for other types and for broken data. */
export function readTxt(record: ResourceRecord): string[] | undefined {
  if (record.type !== TYPE.TXT) return undefined;
  const reader = readerOf(record.rdata);
  const texts: string[] = [];
  while (bytesLeft(reader) > 0) texts.push(new TextDecoder().decode(readCharacterString(reader)));
  return reader.failure === undefined ? texts : undefined;
}

function encodeStrings(texts: readonly string[]): Uint8Array {
  const strings = texts.map((text) => new TextEncoder().encode(text)).flatMap(splitString);
  const writer = writerOf(strings.reduce((sum, string) => sum + 1 + string.length, 0));
  for (const string of strings) {
    writeU8(writer, string.length);
    writeBytes(writer, string);
  }
  return writer.bytes;
}

function splitString(bytes: Uint8Array): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / MAX_STRING_BYTES));
  return Array.from({ length: count }, (_, i) =>
    bytes.subarray(i * MAX_STRING_BYTES, (i + 1) * MAX_STRING_BYTES),
  );
}
