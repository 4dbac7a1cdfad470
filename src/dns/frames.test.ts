import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameSplitter, frameMessage } from './frames.ts';
import { hex, toHex } from './testing/packets.ts';

test('a message stands behind its length, high byte first (RFC 1035 section 4.2.2)', () => {
  expect(toHex(frameMessage(hex('010203')))).toBe('0003010203');
  expect(toHex(frameMessage(new Uint8Array(258)).subarray(0, 3))).toBe('010200');
});

test('two messages in one chunk come out together, the cut third one later', () => {
  const splitter = new FrameSplitter();
  expect(splitter.push(hex('0001 aa 0002 bbbb 0003 cc')).map(toHex)).toEqual(['aa', 'bbbb']);
  expect(splitter.isAtBoundary).toBe(false);
  expect(splitter.push(hex('cccc')).map(toHex)).toEqual(['cccccc']);
  expect(splitter.isAtBoundary).toBe(true);
});

test('property: however a stream is cut, the same messages come out in order', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 900 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 40 });
  fc.assert(
    fc.property(messages, cuts, (sent, sizes) => {
      const stream = new Uint8Array(sent.flatMap((message) => [...frameMessage(message)]));
      const splitter = new FrameSplitter();
      const received: Uint8Array[] = [];
      let at = 0;
      for (const size of [...sizes, stream.length]) {
        received.push(...splitter.push(stream.subarray(at, at + size)));
        at += size;
      }
      expect(received.map(toHex)).toEqual(sent.map(toHex));
      expect(splitter.isAtBoundary).toBe(true);
    }),
  );
});

test('a message of 65535 bytes that comes byte by byte comes out whole', () => {
  const message = Uint8Array.from({ length: 65_535 }, (_, i) => i & 0xff);
  const splitter = new FrameSplitter();
  const received: Uint8Array[] = [];
  for (const byte of frameMessage(message)) received.push(...splitter.push(Uint8Array.of(byte)));
  expect(received).toEqual([message]);
});
