/** A shelf in the kernel, written through one mapping of its maps and read through another. Needs root. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ANSWER_HEAD_SIZE } from '../../answermap/answer-abi.gen.ts';
import { mapShelf } from '../../answermap/shelf-memory.ts';
import type { AnswerShelf, Datapath } from '../../datapath/datapath.ts';
import { openDatapath } from '../../datapath/open-datapath.ts';
import { silentLog, TestNetwork } from '../../datapath/testing/test-network.ts';
import { systemClock } from '../../telemetry/clock.ts';
import { listEntries } from './shelf-entries.ts';
import { ShelfReader } from './shelf-reader.ts';
import { answerBytes, placeValue, wireName } from './testing/shelf-files.ts';

let network: TestNetwork;
let datapath: Datapath;
let bpf: string;

const open = () =>
  openDatapath({
    ...{ pinDirectory: join(bpf, 'node'), log: silentLog, clock: systemClock, answerEntries: 1000 },
  });

beforeAll(() => {
  network = new TestNetwork('shelf');
  bpf = network.mountBpffs();
  network.enterNode();
  datapath = open();
});
afterAll(async () => {
  datapath.remove();
  await network.close();
});

async function list(shelf: AnswerShelf) {
  const memory = new ShelfReader(shelf);
  try {
    const { entries } = await listEntries(memory, {
      ...{ shelf: shelf.number, most: 10 },
      nowNs: () => process.hrtime.bigint(),
    });
    return { use: memory.use(), names: entries.map(({ name, size }) => `${name} ${size}`) };
  } finally {
    memory.close();
  }
}

it('is read as its cache writes it, from the last place to the last slot, also by the next agent', async () => {
  const shelf = datapath.openShelf();
  if (shelf === undefined) throw new Error('No shelf');
  expect(await list(shelf)).toEqual({ use: { small: 0, large: 0 }, names: [] });
  const [index, small, large] = shelf.fds;
  const written = mapShelf([index, small, large], shelf);
  const nowNs = process.hrtime.bigint();
  const times = { storedNs: nowNs, untilNs: nowNs + 300_000_000_000n, ttlSeconds: 300 };
  const last = shelf.smallSlots - 1;
  written.small.set(answerBytes({ name: wireName('small', 'org'), ...times }), last * 448);
  written.large.set(answerBytes({ name: wireName('large', 'org'), ...times }), (shelf.largeSlots - 1) * 1408);
  written.places[0] = placeValue({ slot: last });
  written.places[written.places.length - 1] = placeValue({ slot: shelf.largeSlots - 1, isLarge: true });
  expect(written.places.byteOffset).toBe(ANSWER_HEAD_SIZE);
  const expected = { use: { small: 1, large: 1 }, names: ['small.org. small', 'large.org. large'] };
  expect(await list(shelf)).toEqual(expected);
  datapath.close();
  datapath = open();
  const found = datapath.shelf(shelf.number);
  expect(found && (await list(found))).toEqual(expected);
  written.places[0] = 0n;
  expect(found && (await list(found)).names).toEqual(['large.org. large']);
  written.close();
});
