/** What is listed of memory that somebody else writes, well or not. Layout: bpf/answer-abi.h. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_HEAD_SIZE } from '../../answermap/answer-abi.gen.ts';
import type { AnswerShelf } from '../../datapath/datapath.ts';
import { listEntries } from './shelf-entries.ts';
import { ShelfReader, shelfBytes } from './shelf-reader.ts';
import { ShelfFiles, wireName } from './testing/shelf-files.ts';

const SHELF: AnswerShelf = {
  ...{ number: 3, fds: [-1, -1, -1, -1], sets: 8, smallSlots: 16, largeSlots: 4, logBytes: 4096 },
};
const NAME = wireName('www', 'example', 'org');
const SECOND = 1_000_000_000n;

let directory: string;
let files: ShelfFiles;
let memory: ShelfReader;
let nowNs: bigint;

const list = async (most = 100) => listEntries(memory, { shelf: 3, most, nowNs: () => nowNs });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zerohop-shelf-'));
  files = new ShelfFiles(directory, SHELF);
  memory = new ShelfReader(files.shelf);
  nowNs = 5n * SECOND;
});
afterEach(() => {
  memory.close();
  files.close();
  rmSync(directory, { recursive: true });
});

describe('listEntries', () => {
  it('shows an answer as a client would get it now', async () => {
    files.put(9, { slot: 15 }, { name: NAME, view: 2, type: 28, keyBits: 3, hits: [1, 2, 3, 4, 5, 6] });
    expect((await list()).entries).toEqual([
      {
        ...{
          shelf: 3,
          view: 2,
          name: 'www.example.org.',
          type: 'AAAA',
          dnssecOk: true,
          checkingDisabled: true,
        },
        ...{ rcode: 'NOERROR', records: [1, 0, 0], ttl: 25, hits: 21, size: 'small' },
        ...{ rotates: false, logged: false },
      },
    ]);
  });

  it('shows large ones, names that do not exist, and what an answer does beside', async () => {
    const name = wireName(...Array<string>(4).fill('x'.repeat(60)));
    const what = { name, headerBits: 0xa3, answers: 0, authorities: 1, flags: 6, tailLength: 1024 };
    files.put(0, { slot: 3, isLarge: true }, what);
    expect((await list()).entries).toMatchObject([
      {
        ...{
          name: `${`${'x'.repeat(60)}.`.repeat(4)}`,
          size: 'large',
          rcode: 'NXDOMAIN',
          records: [0, 1, 0],
        },
        ...{ rotates: true, logged: true },
      },
    ]);
  });

  it.each([
    ['that has expired', { untilNs: 5n * SECOND }],
    ['that is due to be asked again', { untilNs: 4n * SECOND, ttlSeconds: 30 }],
    ['whose seconds have run out', { ttlSeconds: 5 }],
    ['that is being written', { generation: 0 }],
    ['with more behind it than there is room', { tailLength: 257 }],
    ['with more TTLs than there is room', { ttlCount: 17 }],
    ['with a name that has no end', { name: Uint8Array.of(3, 97, 98, 99), nameLength: 4 }],
    ['with a name that points', { name: Uint8Array.of(0xc0, 0), nameLength: 2 }],
    ['with a name that is longer than its room', { nameLength: 70 }],
    ['with no name', { nameLength: 0 }],
  ])('leaves out one %s', async (_, what) => {
    files.put(0, { slot: 0, generation: 1 }, { name: NAME, ...what });
    expect(await list()).toEqual({ entries: [], left: 0 });
  });

  it('leaves out a place whose slot is another answer by now, or none', async () => {
    files.put(0, { slot: 1, generation: 7 }, { name: NAME, generation: 8 });
    files.put(1, { slot: 2 }, { name: NAME });
    // One behind the last.
    files.write(0, ANSWER_HEAD_SIZE + 8 * 2, Uint8Array.of(16, 0, 0, 0, 1, 0, 0, 0));
    files.write(0, ANSWER_HEAD_SIZE + 8 * 3, Uint8Array.of(4, 0, 0, 0x80, 1, 0, 0, 0));
    expect((await list()).entries).toHaveLength(1);
  });

  it('counts what it does not show', async () => {
    for (let i = 0; i < 5; i++) files.put(i, { slot: i }, { name: NAME });
    expect(await list(2)).toMatchObject({ entries: [{}, {}], left: 3 });
  });

  it('sees what is written while it is open', async () => {
    expect((await list()).entries).toEqual([]);
    files.put(63, { slot: 0 }, { name: NAME });
    expect((await list()).entries).toHaveLength(1);
  });

  it('outlives whatever a cache writes', async () => {
    const bytes = fc.uint8Array({ minLength: 512, maxLength: 512 });
    await fc.assert(
      fc.asyncProperty(
        bytes,
        bytes,
        fc.constantFrom(0n, 5n * SECOND, 1n << 63n),
        async (index, slots, now) => {
          files.write(0, ANSWER_HEAD_SIZE, index);
          files.write(0, ANSWER_HEAD_SIZE, Uint8Array.of(0, 0, 0, 0, slots[0] ?? 0, slots[1] ?? 0, 0, 0));
          files.write(1, 0, slots);
          files.write(2, 0, slots);
          nowNs = now;
          const { entries } = await list();
          expect(entries.every(({ ttl, hits }) => ttl > 0 && hits >= 0)).toBe(true);
          JSON.stringify(entries);
        },
      ),
      { numRuns: 300, seed: 6 },
    );
  });
});

describe('ShelfReader', () => {
  it('counts what can be found, by size', () => {
    files.put(0, { slot: 0 }, { name: NAME });
    files.put(1, { slot: 1 }, { name: NAME });
    files.put(2, { slot: 1, isLarge: true }, { name: NAME });
    expect(memory.use()).toEqual({ small: 2, large: 1 });
  });

  it('knows how much memory a shelf has', () => {
    expect(shelfBytes(SHELF)).toBe(9 * 64 + 16 * 448 + 4 * 1408 + 4096);
  });

  it('says so when there is nothing to map', () => {
    expect(() => new ShelfReader(SHELF)).toThrow(expect.objectContaining({ code: 'SYS_CALL_FAILED' }));
  });
});
