/**
 * Test support: some names that are asked for ten times a second, each renewed when it has expired, while a client stores
 * names that nobody asks for again. Says which share of the questions the programs answered.
 */
import { addresses, packet } from '../../wirecache/testing/answers.ts';
import { mirrorBench } from './mirror-bench.ts';

const RDATA = Uint8Array.of(192, 0, 2, 1);
const TICK_MS = 100;
const TICKS_PER_SECOND = 1000 / TICK_MS;

export interface Flood {
  readonly slots: number;
  readonly cacheEntries: number;
  readonly hot: number;
  /** Names a second. */
  readonly rate: number;
  readonly seconds: number;
  /** In every tick, ahead of those that are asked for; else they come first. */
  readonly isAhead: boolean;
  /** How often each of the flood's names is asked for, one tick apart. */
  readonly asks?: 1 | 2;
  /** The least of those that live up to twice as long. Default 20. */
  readonly ttlSeconds?: number;
}

export function runFlood({
  slots,
  cacheEntries,
  hot,
  rate,
  seconds,
  isAhead,
  asks = 1,
  ttlSeconds = 20,
}: Flood) {
  const bench = mirrorBench({
    shelf: { sets: 2 ** Math.ceil(Math.log2(slots / 4)), smallSlots: slots, largeSlots: slots / 8 },
    spec: { successEntries: cacheEntries },
    budgetBytes: cacheEntries * 1600,
  });
  const names = Array.from({ length: hot }, (_, i) => `hot${i}.example.`);
  const queries = names.map((text) => packet(text));
  let before: readonly string[] = [];
  let floods = 0;
  const flood = () => {
    for (const text of before) bench.askThread(packet(text));
    const now = Array.from({ length: rate / TICKS_PER_SECOND }, () => `f${floods++}.example.`);
    for (const text of now) bench.store(text, addresses(text, 1, RDATA));
    before = asks === 2 ? now : [];
  };
  let asked = 0;
  let answered = 0;
  const ask = () => {
    for (const [i, query] of queries.entries()) {
      const text = names[i] ?? '';
      asked++;
      if (bench.ask(query) !== undefined) answered++;
      else if (bench.askThread(query) === undefined) {
        bench.store(text, addresses(text, 1, RDATA, ttlSeconds + (i % (ttlSeconds + 1))));
      }
    }
  };
  const tick = (isFlooded: boolean) => {
    if (isFlooded && isAhead) flood();
    ask();
    if (isFlooded && !isAhead) flood();
    bench.clock.pass(TICK_MS);
    bench.settle();
  };
  for (let i = 0; i < 2 * TICKS_PER_SECOND; i++) tick(false);
  asked = 0;
  answered = 0;
  for (let i = 0; i < seconds * TICKS_PER_SECOND; i++) tick(true);
  return { share: answered / asked, stats: bench.mirror.stats };
}
