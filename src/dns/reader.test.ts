import { expect, test } from 'vitest';
import { bytesLeft, readBytes, readerOf, readName, readU8, readU16, readU32 } from './reader.ts';
import { hex } from './testing/packets.ts';

/** The example of RFC 1035 section 4.1.4, at the offsets it has there, the rest filled with zeros. */
const RFC_1035 = (() => {
  const bytes = new Uint8Array(93);
  bytes.set(hex('01 46 03 495349 04 41525041 00'), 20);
  bytes.set(hex('03 464f4f c014'), 40);
  bytes.set(hex('c01a'), 64);
  bytes.set(hex('00'), 92);
  return bytes;
})();

test.each([
  { offset: 20, name: 'F.ISI.ARPA.', end: 32 },
  { offset: 40, name: 'FOO.F.ISI.ARPA.', end: 46 },
  { offset: 64, name: 'ARPA.', end: 66 },
  { offset: 92, name: '.', end: 93 },
])('readName reads $name of RFC 1035 section 4.1.4', ({ offset, name, end }) => {
  const reader = readerOf(RFC_1035);
  reader.offset = offset;
  expect(readName(reader)).toBe(name);
  expect(reader.offset).toBe(end);
  expect(reader.failure).toBeUndefined();
});

test('readName reads names that point at an earlier one as if each were the first', () => {
  const places = [20, 64, 40, 20, 64, 40, 92];
  const names = places.map((offset) => readName({ ...readerOf(RFC_1035), offset }));
  const reader = readerOf(RFC_1035);
  const inOneGo = places.map((offset) => {
    reader.offset = offset;
    return readName(reader);
  });
  expect(inOneGo).toEqual(names);
});

test.each([
  { name: 'at the first name', bytes: '01 61 00 c000', read: ['a.', 'a.'], end: 5 },
  { name: 'into the first name', bytes: '01 61 01 62 00 c002', read: ['a.b.', 'b.'], end: 7 },
  { name: 'behind the first name', bytes: '01 61 00 01 62 00 c003', read: ['a.', 'b.', 'b.'], end: 8 },
])('readName follows a pointer $name', ({ bytes, read, end }) => {
  const reader = readerOf(hex(bytes));
  expect(read.map(() => readName(reader))).toEqual(read);
  expect(reader.offset).toBe(end);
  expect(reader.failure).toBeUndefined();
});

test('readName reads no pointer across the end that was set', () => {
  const reader = readerOf(hex('01 61 00 c000'));
  readName(reader);
  reader.end = 4;
  expect(readName(reader)).toBe('.');
  expect(reader.failure?.code).toBe('DNS_CUT');
});

test('readName escapes dots, backslashes and what does not print', () => {
  expect(readName(readerOf(hex('05 612e5c0062 01ff 00')))).toBe('a\\.\\\\\\000b.\\255.');
});

const LABEL_63 = `3f${'61'.repeat(63)}`;

test.each([
  { name: 'nothing at all', bytes: '', code: 'DNS_CUT' },
  { name: 'a label that runs out of the packet', bytes: '03 6162', code: 'DNS_CUT' },
  { name: 'no end', bytes: '01 61', code: 'DNS_CUT' },
  { name: 'half a pointer', bytes: 'c0', code: 'DNS_CUT' },
  { name: 'a pointer to itself', bytes: 'c000', code: 'DNS_POINTER' },
  { name: 'a pointer forwards', bytes: 'c002 00', code: 'DNS_POINTER' },
  { name: 'a pointer into its own labels', bytes: '01 61 c000', code: 'DNS_POINTER' },
  { name: 'the label type 01', bytes: '41 00', code: 'DNS_LABEL' },
  { name: 'the label type 10', bytes: '81 00', code: 'DNS_LABEL' },
  {
    name: '256 bytes of labels',
    bytes: `${LABEL_63.repeat(3)} 3e${'62'.repeat(62)} 00`,
    code: 'DNS_NAME_LENGTH',
  },
])('readName refuses $name', ({ bytes, code }) => {
  const reader = readerOf(hex(bytes));
  readName(reader);
  expect(reader.failure).toMatchObject({ ok: false, code });
});

test('readName takes a name of exactly 255 bytes', () => {
  const reader = readerOf(hex(`${LABEL_63.repeat(3)} 3d${'62'.repeat(61)} 00`));
  expect(readName(reader)).toHaveLength(254);
  expect(reader.failure).toBeUndefined();
});

test('readName refuses a ladder of pointers, which would make names cost thousands of hops', () => {
  const rungs = 8000;
  const bytes = new Uint8Array(2 * rungs + 2);
  const view = new DataView(bytes.buffer);
  for (let rung = 1; rung <= rungs; rung++) view.setUint16(2 * rung, 0xc000 | (2 * (rung - 1)));
  const reader = readerOf(bytes);
  reader.offset = 2 * rungs;
  readName(reader);
  expect(reader.failure).toMatchObject({ code: 'DNS_POINTER' });
});

test('the first read beyond the end is remembered, later ones give zeros', () => {
  const reader = readerOf(hex('01 0203 04'));
  expect([readU8(reader), readU16(reader)]).toEqual([1, 0x0203]);
  expect(readU32(reader)).toBe(0);
  expect(readBytes(reader, 70_000)).toHaveLength(0);
  expect(reader.failure).toMatchObject({ code: 'DNS_CUT', offset: 3 });
  expect(bytesLeft(reader)).toBe(0);
});
