import { expect, test } from 'vitest';
import { className, parseClass, parseRcode, parseType, rcodeName, typeName } from './codes.ts';

test.each([
  { code: 1, text: 'A' },
  { code: 28, text: 'AAAA' },
  { code: 33, text: 'SRV' },
  { code: 65, text: 'HTTPS' },
  { code: 255, text: 'ANY' },
  { code: 4711, text: 'TYPE4711' },
])('type $code is $text in both directions', ({ code, text }) => {
  expect(typeName(code)).toBe(text);
  expect(parseType(text)).toBe(code);
  expect(parseType(text.toLowerCase())).toBe(code);
});

test.each([
  { code: 1, text: 'IN' },
  { code: 3, text: 'CH' },
  { code: 42, text: 'CLASS42' },
])('class $code is $text in both directions', ({ code, text }) => {
  expect(className(code)).toBe(text);
  expect(parseClass(text)).toBe(code);
});

test.each([
  { code: 0, text: 'NOERROR' },
  { code: 1, text: 'FORMERR' },
  { code: 2, text: 'SERVFAIL' },
  { code: 3, text: 'NXDOMAIN' },
  { code: 4, text: 'NOTIMP' },
  { code: 5, text: 'REFUSED' },
  { code: 16, text: 'BADVERS' },
])('rcode $code is $text in both directions', ({ code, text }) => {
  expect(rcodeName(code)).toBe(text);
  expect(parseRcode(text)).toBe(code);
  expect(parseRcode(String(code))).toBe(code);
});

test('codes without a name print as numbers, words that are none are refused', () => {
  expect(rcodeName(11)).toBe('RCODE11');
  expect(parseType('TYPE65536')).toBeUndefined();
  expect(parseType('constructor')).toBeUndefined();
  expect(parseRcode('4096')).toBeUndefined();
  expect(parseRcode('toString')).toBeUndefined();
});
