/**
 * The small run of `npm run fuzz -- --answers`: whatever is asked, the kernel's answer is the one of user space. `ANSWER_QUERIES`
 * and `ANSWER_SEED` choose another run. Needs root.
 */
import { expect, it } from 'vitest';
import { PLAIN_KINDS } from '../fuzz/answers/drawn-query.ts';
import { fuzzAnswers } from '../fuzz/answers/fuzz-answers.ts';
import { ANSWER_KINDS, SERVER_KINDS, ZONES } from '../fuzz/answers/stored-answers.ts';

const QUERIES = Number(process.env.ANSWER_QUERIES ?? 60_000);
const SEED = Number(process.env.ANSWER_SEED ?? 20_261_123);

it(`${QUERIES} queries to both: every kernel answer is user space's, and of plain queries nearly all are the kernel's`, {
  timeout: 600_000,
}, async () => {
  const tally = await fuzzAnswers({ seed: SEED, count: QUERIES, progress: () => undefined });
  console.log(tally.format());
  expect(tally.queries).toBe(QUERIES);
  // Else it has proved nothing: of each kind of query, answer, zone and family enough were asked, and nearly all answered.
  const kinds = ANSWER_KINDS.filter((kind) => !SERVER_KINDS.includes(kind));
  const zones = ZONES.filter(({ own }) => own !== true).map(({ zone }) => zone);
  expect(new Set(tally.dues.keys())).toEqual(new Set([...PLAIN_KINDS, ...kinds, ...zones, 'IPv4', 'IPv6']));
  expect(tally.least.of).toBeGreaterThan(QUERIES / 500);
  expect(tally.least.share).toBeGreaterThan(0.98);
  expect(tally.turned).toBeGreaterThan(0);
});
