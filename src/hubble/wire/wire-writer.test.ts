import { expect, it } from 'vitest';
import { WireWriter } from './wire-writer.ts';

/** The memory a writer begins with. */
const FIRST_BYTES = 1 << 16;

it('WireWriter.nested keeps what was written wherever the memory ends', () => {
  const inner = 'n'.repeat(300);
  const alone = new WireWriter();
  alone.nested(() => alone.text(inner));
  const expected = alone.take();
  for (let before = FIRST_BYTES - 320; before <= FIRST_BYTES; before++) {
    const writer = new WireWriter();
    const filled = 'f'.repeat(before);
    writer.text(filled);
    writer.nested(() => writer.text(inner));
    const written = writer.take();
    expect(
      written.subarray(written.length - expected.length).equals(expected),
      `${before} bytes before`,
    ).toBe(true);
  }
});
