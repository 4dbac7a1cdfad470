import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineSplitter } from './line-splitter.ts';

const encode = (text: string) => new TextEncoder().encode(text);

describe('createLineSplitter', () => {
  it('gives the same lines wherever the chunks are cut, inside characters too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' '))),
        fc.array(fc.nat(200)),
        (lines, cuts) => {
          const bytes = encode(lines.map((line) => `${line}\n`).join(''));
          const splitter = createLineSplitter(1_000_000);
          const borders = [...new Set(cuts.filter((cut) => cut < bytes.length))].sort((a, b) => a - b);
          const seen = [0, ...borders].flatMap(
            (start, i) => splitter.push(bytes.slice(start, borders[i] ?? bytes.length)) ?? [],
          );
          expect(seen).toEqual(lines);
        },
      ),
    );
  });

  const bounds = [
    { name: 'in one chunk', chunks: ['12345\n'] },
    { name: 'over several chunks', chunks: ['12', '34', '5'] },
    { name: 'without an end', chunks: ['123456789'] },
  ];
  it.each(bounds)('refuses a line beyond the bound $name, and everything after it', ({ chunks }) => {
    const splitter = createLineSplitter(4);
    const results = chunks.map((chunk) => splitter.push(encode(chunk)));
    expect(results.at(-1)).toBeUndefined();
    expect(splitter.push(encode('ok\n'))).toBeUndefined();
  });

  it('accepts a line of exactly the bound', () => {
    const splitter = createLineSplitter(4);
    expect(splitter.push(encode('12'))).toEqual([]);
    expect(splitter.push(encode('34\n'))).toEqual(['1234']);
  });
});
