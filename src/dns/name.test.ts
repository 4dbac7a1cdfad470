import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalName,
  countLabels,
  equalNames,
  isSubdomain,
  joinName,
  nameBytes,
  nameLabels,
  parentName,
  parseName,
  upperName,
} from './name.ts';
import { anyName, name } from './testing/packets.ts';
import { encodeName } from './writer.ts';

const L63 = 'a'.repeat(63);
/** Three labels of 64 bytes, one of 62 bytes and the root: 255. */
const LONGEST = `${L63}.${L63}.${L63}.${'b'.repeat(61)}.`;

test.each([
  { name: 'the root', text: '.', parsed: '.' },
  { name: 'a name without its final dot', text: 'www.Example.org', parsed: 'www.Example.org.' },
  { name: 'a name with its final dot', text: 'www.example.org.', parsed: 'www.example.org.' },
  { name: 'an escaped dot inside a label', text: 'a\\.b.c', parsed: 'a\\.b.c.' },
  { name: 'an escaped dot at the end, which ends nothing', text: 'a\\.', parsed: 'a\\..' },
  { name: 'an escaped backslash in front of the final dot', text: 'a\\\\.', parsed: 'a\\\\.' },
  { name: 'a letter that needed no escape', text: '\\a.b', parsed: 'a.b.' },
  { name: 'a printable byte in decimal', text: '\\097.b', parsed: 'a.b.' },
  { name: 'a dot in decimal', text: 'a\\046b', parsed: 'a\\.b.' },
  { name: 'a zero byte', text: 'a\\000b', parsed: 'a\\000b.' },
  { name: 'a blank', text: 'a b', parsed: 'a\\032b.' },
  { name: 'a line break, which would forge a log line', text: 'a\nb', parsed: 'a\\010b.' },
  { name: 'text beyond ASCII as UTF-8', text: 'ü', parsed: '\\195\\188.' },
  { name: 'a service label', text: '_dns._udp.kube-dns', parsed: '_dns._udp.kube-dns.' },
  { name: 'the longest label', text: L63, parsed: `${L63}.` },
  { name: 'the longest name', text: LONGEST, parsed: LONGEST },
])('parseName takes $name', ({ text, parsed }) => {
  expect(parseName(text)).toBe(parsed);
});

test.each([
  { name: 'nothing', text: '' },
  { name: 'an empty label', text: 'a..b' },
  { name: 'a leading dot', text: '.a' },
  { name: 'two dots', text: '..' },
  { name: 'a lone backslash', text: 'a\\' },
  { name: 'two digits behind a backslash', text: 'a\\25' },
  { name: 'a decimal above 255', text: 'a\\256' },
  { name: 'a label of 64 bytes', text: `${L63}a` },
  { name: 'a label of 64 bytes that are 32 letters', text: 'ü'.repeat(32) },
  { name: 'a name of 256 bytes', text: `${L63}.${L63}.${L63}.${'b'.repeat(62)}` },
])('parseName refuses $name', ({ text }) => {
  expect(parseName(text)).toBeUndefined();
});

test.each([
  { name: 'itself', parent: 'example.org', child: 'example.org', below: true },
  { name: 'a child', parent: 'example.org', child: 'www.example.org', below: true },
  { name: 'a child in other case', parent: 'Example.ORG', child: 'www.eXample.org', below: true },
  { name: 'everything under the root', parent: '.', child: 'a.b', below: true },
  { name: 'not a name that merely ends alike', parent: 'example.org', child: 'badexample.org', below: false },
  { name: 'not a name whose dot is escaped', parent: 'b.c', child: 'a\\.b.c', below: false },
  { name: 'a label that ends in a backslash', parent: 'b.c', child: 'a\\\\.b.c', below: true },
  { name: 'not its parent', parent: 'www.example.org', child: 'example.org', below: false },
  { name: 'not the Kelvin sign for k (RFC 4343)', parent: 'k.org', child: 'a.\u212a.org', below: false },
])('isSubdomain: $name', ({ parent, child, below }) => {
  expect(isSubdomain(name(parent), name(child))).toBe(below);
});

test('labels are cut at unescaped dots only', () => {
  expect(nameLabels(name('a\\.b.c\\\\.\\000d.org'))).toEqual(['a\\.b', 'c\\\\', '\\000d', 'org']);
  expect(nameLabels(name('.'))).toEqual([]);
  expect(countLabels(name('a\\.b.c'))).toBe(2);
});

test('parentName climbs label by label to the root and ends there', () => {
  expect(parentName(name('a\\.b.c'))).toBe('c.');
  expect(parentName(name('c'))).toBe('.');
  expect(parentName(name('.'))).toBeUndefined();
});

test.each([
  { name: 'a name that is short enough stays', text: 'b.c', characters: 4, upper: 'b.c.' },
  { name: 'labels go until it is', text: 'a.bb.c', characters: 4, upper: 'c.' },
  { name: 'a label with an escaped dot goes whole', text: 'x\\.b.c', characters: 5, upper: 'c.' },
  { name: 'nothing fits but the root', text: 'a.b', characters: 1, upper: '.' },
  { name: 'the root stays', text: '.', characters: 1, upper: '.' },
])('upperName: $name', ({ text, characters, upper }) => {
  expect(upperName(name(text), characters)).toBe(upper);
});

test('joinName puts labels in front of a name within the limits', () => {
  expect(joinName(['_dns', '_udp'], name('kube-dns.svc'))).toBe('_dns._udp.kube-dns.svc.');
  expect(joinName(['org'], name('.'))).toBe('org.');
  expect(joinName([], name('org'))).toBe('org.');
  expect(joinName(['a'], name(LONGEST))).toBeUndefined();
});

test('equalNames folds ASCII case and nothing else', () => {
  expect(equalNames(name('WWW.Example.org'), name('www.example.ORG'))).toBe(true);
  expect(equalNames(name('\\195\\132'), name('\\195\\164'))).toBe(false);
  expect(canonicalName(name('WWW.Example.org'))).toBe('www.example.org.');
});

test('property: a parsed name parses to itself, and nameBytes is what it takes on the wire', () => {
  fc.assert(
    fc.property(anyName, (any) => {
      expect(parseName(any)).toBe(any);
      expect(encodeName(any, 255).length).toBe(nameBytes(any));
      expect(joinName(nameLabels(any), name('.'))).toBe(any);
    }),
  );
});

/** What presentation format is made of, and what it must not choke on. */
const PIECE = fc.constantFrom('a', 'Zz', '.', '\\', '0', '25', '046', 'ü', '\n', ' ', '\0', '\ud800', '😀');

test('property: arbitrary text either parses to a name within the limits or is refused', () => {
  fc.assert(
    fc.property(fc.array(PIECE, { maxLength: 300 }), (pieces) => {
      const text = pieces.join('');
      const parsed = parseName(text);
      if (parsed === undefined) return;
      expect(nameBytes(parsed)).toBeLessThanOrEqual(255);
      expect(parsed).toMatch(/^[\x21-\x7e]+$/);
      expect(parseName(parsed)).toBe(parsed);
    }),
  );
});
