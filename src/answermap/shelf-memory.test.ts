import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ANSWER_LAYOUT, decodeAnswerHead } from './answer-abi.gen.ts';
import { indexBytes, LARGE_SLOT_BYTES, mapShelf, SMALL_SLOT_BYTES } from './shelf-memory.ts';

const directory = mkdtempSync(join(tmpdir(), 'zerohop-shelf-'));
afterAll(() => rmSync(directory, { recursive: true }));

const SIZE = { sets: 32, smallSlots: 10, largeSlots: 3 };

/** Files in place of the kernel's maps; what is mapped of either is shared with who maps it. */
function files(name: string): { paths: readonly string[]; fds: [number, number, number]; close: () => void } {
  const sizes = [indexBytes(SIZE), SIZE.smallSlots * SMALL_SLOT_BYTES, SIZE.largeSlots * LARGE_SLOT_BYTES];
  const paths = sizes.map((size, i) => {
    const path = join(directory, `${name}-${i}`);
    writeFileSync(path, '');
    truncateSync(path, Math.ceil(size / 65_536) * 65_536);
    return path;
  });
  const [index = -1, small = -1, large = -1] = paths.map((path) => openSync(path, 'r+'));
  return {
    paths,
    fds: [index, small, large],
    close: () => {
      for (const fd of [index, small, large]) closeSync(fd);
    },
  };
}

describe('mapShelf', () => {
  it('writes the head of a new shelf, and keeps to that of one that has it', () => {
    const { paths, fds, close } = files('new');
    const memory = mapShelf(fds, SIZE);
    const head = () => decodeAnswerHead(new DataView(new Uint8Array(readFileSync(paths[0] ?? '')).buffer));
    const first = head();
    expect(first).toMatchObject({ layout: ANSWER_LAYOUT, setMask: 31, seed: memory.seed });
    expect(first.multiplier % 2).toBe(1);
    memory.places[0] = 7n;
    memory.small[0] = 8;
    memory.large[3 * LARGE_SLOT_BYTES - 1] = 9;
    memory.close();
    memory.close();
    expect(readFileSync(paths[0] ?? '')[64]).toBe(7);
    expect(readFileSync(paths[1] ?? '')[0]).toBe(8);
    expect(readFileSync(paths[2] ?? '')[3 * LARGE_SLOT_BYTES - 1]).toBe(9);
    const again = mapShelf(fds, SIZE);
    expect(head()).toEqual(first);
    expect(again.multiplier).toBe(first.multiplier);
    again.close();
    close();
  });

  it('refuses memory of another layout, of another size, and what cannot be mapped', () => {
    const { paths, fds, close } = files('other');
    mapShelf(fds, SIZE).close();
    expect(() => mapShelf(fds, { ...SIZE, sets: 16 })).toThrow(
      expect.objectContaining({ code: 'ANSWERMAP_LAYOUT' }),
    );
    const bytes = readFileSync(paths[0] ?? '');
    bytes[12] = ANSWER_LAYOUT + 1;
    writeFileSync(paths[0] ?? '', bytes, { flag: 'r+' });
    expect(() => mapShelf(fds, SIZE)).toThrow(expect.objectContaining({ code: 'ANSWERMAP_LAYOUT' }));
    expect(() => mapShelf([fds[0], fds[1], 99_999], SIZE)).toThrow(
      expect.objectContaining({ code: 'SYS_CALL_FAILED' }),
    );
    close();
  });
});
