import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipMappedBytes } from '../../net/ip.ts';
import { ip } from '../testing/sample-cluster.ts';
import { TopClients } from './top-clients.ts';

const address = (n: number) => ip(`10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`);
const wordsOf = (n: number) => new Int32Array(ipMappedBytes(address(n)).buffer);
/** All in a few places of the index: what a hash of bad luck does. */
const badHash = (n: number) => n & 7;

describe('TopClients', () => {
  it('counts exactly while there is room', () => {
    const clients = new TopClients();
    for (let n = 0; n < 400; n++) for (let i = 0; i <= n % 5; i++) clients.query(wordsOf(n), 0, badHash(n));
    const rows = clients.list();
    expect(rows).toHaveLength(400);
    expect(new Map(rows.map((row) => [row.address, row.queries])).get(address(4))).toBe(5);
    expect(rows.every(({ error }) => error === 0)).toBe(true);
  });

  it('never counts too low, and too high by no more than it says, however many there are', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const clients = new TopClients();
        const real = new Map<string, number>();
        let state = seed;
        for (let i = 0; i < 6000; i++) {
          state = (Math.imul(state, 1664525) + 1013904223) | 0;
          // A few that ask a lot, and a crowd that asks once or twice.
          const n = state >>> 30 === 0 ? (state >>> 8) % 4000 : (state >>> 8) % 20;
          clients.query(wordsOf(n), 0, Math.imul(n, 0x9e3779b1));
          real.set(address(n), (real.get(address(n)) ?? 0) + 1);
        }
        const rows = clients.list();
        expect(rows.length).toBe(512);
        for (const { address: who, queries, error } of rows) {
          const asked = real.get(who) ?? 0;
          expect(queries).toBeGreaterThanOrEqual(asked);
          expect(queries - error).toBeLessThanOrEqual(asked);
        }
        const least = rows.at(-1)?.queries ?? 0;
        const listed = new Set(rows.map((row) => row.address as string));
        for (const [who, asked] of real) if (asked > least) expect(listed).toContain(who);
      }),
      { numRuns: 10 },
    );
  });

  it('keeps answers of those it knows, failures apart from names that do not exist', () => {
    const clients = new TopClients();
    clients.query(wordsOf(1), 0, 1);
    clients.answer(wordsOf(1), 0, 1, 0, 2000);
    clients.answer(wordsOf(1), 0, 1, 3, 4000);
    clients.answer(wordsOf(1), 0, 1, 2, -1);
    clients.answer(wordsOf(2), 0, 2, 0, 1000);
    expect(clients.list()).toMatchObject([
      { address: address(1), queries: 1, answers: 2, latencyNs: 6000, failures: 1, nameErrors: 1 },
    ]);
  });
});
