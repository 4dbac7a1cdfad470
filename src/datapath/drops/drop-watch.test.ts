import { release } from 'node:os';
import { expect, test } from 'vitest';
import { DropWatch } from './drop-watch.ts';
import { KernelTypes } from './kernel-types.ts';
import { encodeTypes } from './testing/encode-types.ts';

const open = (readTypes: () => KernelTypes | undefined) => {
  const warnings: string[] = [];
  const log = { warning: (text: string) => warnings.push(text) };
  const watch = new DropWatch({ maps: new Map(), eventPorts: new Uint8Array(16), log, readTypes });
  return { watch, warnings };
};
const REASONS = { name: 'skb_drop_reason', words: [['SKB_DROP_REASON_NO_SOCKET', 3]] } as const;

test.each([
  { name: 'without types of its own', types: undefined, feature: 'its types at /sys/kernel/btf/vmlinux' },
  {
    name: 'older than reasons',
    types: encodeTypes({ enums: [], structs: [], tracepoint: { name: 'kfree_skb', parameters: 2 } }),
    feature: 'reasons for dropped packets (Linux 5.17)',
  },
  {
    name: 'without the tracepoint',
    types: encodeTypes({ enums: [REASONS], structs: [] }),
    feature: 'reasons for dropped packets',
  },
  {
    name: 'whose structs are others',
    types: encodeTypes({ enums: [REASONS], structs: [], tracepoint: { name: 'kfree_skb', parameters: 3 } }),
    feature: 'struct sk_buff has no head',
  },
])('a kernel $name does without, and the status says what is missing, once', ({ types, feature }) => {
  const { watch, warnings } = open(() => (types === undefined ? undefined : new KernelTypes(types)));
  watch.start();
  expect(watch.status()).toMatchObject({ watched: false });
  expect(watch.status().problem).toContain(feature);
  if (!feature.startsWith('struct')) expect(watch.status().problem).toContain(release());
  expect(warnings).toHaveLength(1);
  watch.close();
});

test('reasons have the words of the kernel, those that no enum has their numbers', () => {
  const types = encodeTypes({
    enums: [REASONS],
    structs: [],
    tracepoint: { name: 'kfree_skb', parameters: 3 },
  });
  const { watch } = open(() => new KernelTypes(types));
  watch.start();
  expect(watch.word(3)).toBe('NO_SOCKET');
  expect(watch.word(4)).toBe('REASON_4');
  expect(watch.word(0x30007)).toBe('SUBSYSTEM_3_REASON_7');
});
