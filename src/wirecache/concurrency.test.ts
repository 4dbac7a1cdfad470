import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { createAnswerCache } from './answer-cache.ts';
import { addresses, key, name, packet } from './testing/answers.ts';
import { CONTROL, CONTROL_WORDS, type ReadingOrder, type ReadingResult } from './testing/reading-control.ts';

const NAMES = 300;
const INSERTIONS = 8000;
/** Insertions between two looks at the other threads' messages. */
const SLICE = 500;
/** A reader that the machine gives no time to has heard nothing yet: it gets as many more as it takes. */
const MOST_INSERTIONS = 100 * INSERTIONS;

it('gives readers in other threads no torn and no foreign answer, however fast entries are replaced', async () => {
  // Small enough that memory is used again all the time.
  const cache = createAnswerCache({ budgetBytes: 1 << 20, random: Math.random });
  const partition = cache.open({
    successEntries: NAMES - 50,
    denialEntries: 1,
    keepTtl: true,
    prefetch: undefined,
  });
  cache.replaceRoutes([
    [
      {
        zone: name('.'),
        replay: { partition: partition.id, shuffle: true, limitBytes: undefined, counted: false },
      },
    ],
  ]);
  const texts = Array.from({ length: NAMES }, (_, i) => `n${i}.${'x'.repeat(i % 40)}y.example.`);
  const control = new SharedArrayBuffer(4 * CONTROL_WORDS);
  const words = new Int32Array(control);
  const readers = [0, 1].map(() => startReader({ cache, texts, control }));
  await Promise.all(readers.map(({ ready }) => ready));
  const haveAllHit = () => readers.every(({ seat }) => Atomics.load(words, CONTROL.HAS_HIT + seat) !== 0);
  for (let i = 0; i < INSERTIONS || (i < MOST_INSERTIONS && !haveAllHit()); i++) {
    const index = (i * 31) % NAMES;
    const text = texts[index] ?? '';
    const version = i & 0xffff;
    const rdata = Uint8Array.of(index >> 8, index, version >> 8, version);
    partition.insert(key(text), 'success', addresses(text, (version % 12) + 1, rdata));
    if (i % SLICE === 0) await new Promise(setImmediate);
  }
  Atomics.store(words, CONTROL.STOP, 1);
  const results = await Promise.all(readers.map(({ result }) => result));
  for (const { hits, wrong } of results) {
    expect(wrong).toBe(0);
    expect(hits).toBeGreaterThan(0);
  }
}, 60_000);

function startReader({
  cache,
  texts,
  control,
}: {
  cache: ReturnType<typeof createAnswerCache>;
  texts: readonly string[];
  control: SharedArrayBuffer;
}) {
  const seat = cache.openSeat();
  if (seat === undefined) throw new Error('no seat');
  const packets = texts.map((text) => packet(text));
  const workerData: ReadingOrder = { shared: cache.shared, seat: seat.number, packets, control };
  const worker = new Worker(new URL('./testing/reading-worker.ts', import.meta.url), { workerData });
  const ready = once(worker, 'message');
  const result = ready.then(async (): Promise<ReadingResult> => {
    const [counted] = await once(worker, 'message');
    seat.close();
    return counted;
  });
  return { seat: seat.number, ready, result };
}
