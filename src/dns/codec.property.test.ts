/** What must hold for every message and for every packet, however it was made (RFC 1035, 3597, 6891). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeMessage } from './decode-message.ts';
import { encodeMessage, messageLength } from './encode-message.ts';
import { anyMessage, hex } from './testing/packets.ts';

test('decode(encode(m)) is m, compressed or not', () => {
  fc.assert(
    fc.property(anyMessage, fc.boolean(), (message, compress) => {
      const bytes = encodeMessage(message, { compress });
      expect(decodeMessage(bytes)).toEqual({ ok: true, value: message });
      if (!compress) expect(bytes).toHaveLength(messageLength(message));
    }),
  );
});

test('a limit holds, and what is kept is a beginning of each section', () => {
  fc.assert(
    fc.property(anyMessage, fc.integer({ min: 1100, max: 3000 }), (message, limit) => {
      const bytes = encodeMessage(message, { limit });
      expect(bytes.length).toBeLessThanOrEqual(limit);
      const decoded = decodeMessage(bytes);
      if (!decoded.ok) throw new Error(decoded.code);
      const { answers, authorities, additionals, flags } = decoded.value;
      expect(answers).toEqual(message.answers.slice(0, answers.length));
      expect(authorities).toEqual(message.authorities.slice(0, authorities.length));
      const isWhole =
        answers.length === message.answers.length &&
        authorities.length === message.authorities.length &&
        additionals.length === message.additionals.length;
      expect(flags.truncated).toBe(message.flags.truncated || !isWhole);
    }),
  );
});

test('random bytes behind a header never throw', () => {
  const counts = fc.constantFrom('0001000000000000', '0000ffffffffffff', '0001000100010002');
  fc.assert(
    fc.property(counts, fc.uint8Array({ maxLength: 600 }), (count, body) => {
      decodeMessage(new Uint8Array([...hex('0001 8180', count), ...body]));
      decodeMessage(body);
    }),
    { numRuns: 500 },
  );
});

test('mutated packets never throw, and what decodes can be encoded and decoded again', () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(anyMessage, edits, fc.nat(), (message, changes, cut) => {
      const bytes = encodeMessage(message, { compress: true }).slice();
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const decoded = decodeMessage(cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes);
      if (!decoded.ok) return;
      const again = decodeMessage(encodeMessage(decoded.value));
      expect(again).toEqual(decoded);
    }),
    { numRuns: 300 },
  );
});

test('the densest packet of pointers is decoded within its bounds', () => {
  const ladder = Array.from({ length: 8000 }, (_, rung) => (0xc000 | Math.max(0, 2 * rung - 2)).toString(16));
  const record = 'ffff 0002 0001 00000000 0002 ffff';
  const bytes = hex('0001 8000 0000 0fff 0000 0000', ladder.join(''), record.repeat(3000));
  expect(decodeMessage(bytes).ok).toBe(false);
});
