import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeLayout } from './drop-layout.ts';
import { reasonWords, toldReasons } from './drop-reasons.ts';
import { KernelTypes } from './kernel-types.ts';
import { encodeTypes } from './testing/encode-types.ts';

const types = new KernelTypes(
  encodeTypes({
    enums: [
      {
        name: 'skb_drop_reason',
        words: [
          ['SKB_NOT_DROPPED_YET', 0],
          ['SKB_CONSUMED', 1],
          ['SKB_DROP_REASON_NOT_SPECIFIED', 2],
          ['SKB_DROP_REASON_NO_SOCKET', 3],
          ['SKB_DROP_REASON_QUEUE_PURGE', 4],
        ],
      },
    ],
    structs: [
      { name: '', size: 8, members: [{ name: 'tail', offset: 4 }] },
      { name: 'ns_common', size: 24, members: [{ name: 'inum', offset: 16 }] },
      {
        name: 'net',
        size: 64,
        members: [
          { name: 'ns', offset: 32, of: 'ns_common' },
          { name: '', offset: 56, of: '' },
        ],
      },
    ],
    tracepoint: { name: 'kfree_skb', parameters: 3 },
  }),
);

test('KernelTypes finds members, those of structs inside and of nameless ones too', () => {
  expect(types.offsetOf('ns_common', 'inum')).toBe(16);
  expect(types.offsetOf('net', 'ns.inum')).toBe(48);
  expect(types.offsetOf('net', 'tail')).toBe(60);
  expect(types.sizeOf('net')).toBe(64);
});

test('KernelTypes says what is not there', () => {
  expect(types.offsetOf('net', 'cookie')).toBeUndefined();
  expect(types.offsetOf('net', 'ns.cookie')).toBeUndefined();
  expect(types.offsetOf('sk_buff', 'head')).toBeUndefined();
  expect(types.sizeOf('int')).toBeUndefined();
  expect(types.wordsOf('no_such_enum').size).toBe(0);
  expect(types.tracepointParameters('consume_skb')).toBeUndefined();
  expect(types.tracepointParameters('kfree_skb')).toBe(3);
  expect(() => encodeLayout(types, 3, 1)).toThrow('struct sk_buff has no head');
});

test('toldReasons leaves out what nobody misses, and of TCP what ends a connection', () => {
  const words = reasonWords(types.wordsOf('skb_drop_reason'));
  expect([...words.values()]).toEqual([
    'NOT_DROPPED_YET',
    'CONSUMED',
    'NOT_SPECIFIED',
    'NO_SOCKET',
    'QUEUE_PURGE',
  ]);
  expect([...toldReasons(words).subarray(0, 6)]).toEqual([0, 0, 0, 3, 1, 0]);
});

test('KernelTypes refuses what is no BTF', () => {
  expect(() => new KernelTypes(Buffer.alloc(4))).toThrow('no BTF');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 24, maxLength: 64 }), (bytes) => {
      bytes[0] = 0;
      expect(() => new KernelTypes(Buffer.from(bytes))).toThrow('no BTF');
    }),
  );
});
