import { expect, test } from 'vitest';
import { ANSWER_LAYOUT, decodeAnswerHead } from '../../answermap/answer-abi.gen.ts';
import { MAX_ANSWER_ENTRIES, partSpec, SHELF_PARTS, shelfHead, sizesFor } from './shelf-layout.ts';

const PAGE = 4096;

function bytesOf(entries: number): number {
  const sizes = sizesFor(entries);
  return SHELF_PARTS.map((part) => partSpec(part, sizes))
    .map(({ valueSize, maxEntries }) => Math.max(valueSize, 1) * maxEntries)
    .reduce((sum, bytes) => sum + Math.ceil(bytes / PAGE) * PAGE, 0);
}

test('sizesFor takes at most 10 MB for each 10,000 answers', () => {
  expect(bytesOf(10_000)).toBeLessThan(8 << 20);
  for (const entries of [20_000, 58_254, 58_255, 100_000, 500_000, 1_000_000])
    expect(bytesOf(entries) / entries).toBeLessThan(1000);
});

test('sizesFor keeps out of what nobody can want', () => {
  expect(sizesFor(-1)).toEqual(sizesFor(1000));
  expect(sizesFor(1e12)).toEqual(sizesFor(MAX_ANSWER_ENTRIES));
});

test('shelfHead has an odd multiplier, whatever chance gives', () => {
  for (const fill of [0, 1, 0xfe, 0xff]) {
    const head = decodeAnswerHead(new DataView(shelfHead(64, new Uint8Array(8).fill(fill)).buffer));
    expect(head.multiplier % 2).toBe(1);
    expect(head).toMatchObject({ setMask: 63, layout: ANSWER_LAYOUT });
  }
});
