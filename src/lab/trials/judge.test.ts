import { expect, test } from 'vitest';
import { sumTallies, TallyBook } from '../load/client-tally.ts';
import { judge } from './judge.ts';

const trial = (mayLose?: { before: number; after: number }) => ({
  name: 'kill',
  what: '',
  run: () => Promise.resolve({ happenings: [] }),
  ...(mayLose === undefined ? {} : { mayLose }),
});
const happenings = [
  { what: 'killed', atMs: 1000 },
  { what: 'killed again', atMs: 5000 },
];

function tally(...lostAtMs: readonly number[]) {
  const book = new TallyBook();
  for (let i = 0; i < 100; i++) book.add('udp', { sentAtMs: i, tookMs: i < 99 ? 0.25 : 7 });
  for (const sentAtMs of lostAtMs) book.add('tcp', { sentAtMs, cause: 'ECONNRESET' });
  return sumTallies([book.tally()]);
}

test('judge allows what was in the hands of the dying, around any of the happenings', () => {
  const verdict = judge(trial({ before: 20, after: 50 }), { happenings }, tally(985, 1049, 5001));
  expect(verdict).toMatchObject({ sent: 103, lost: 3, lastLossMs: 49, complaints: [] });
});

test('judge names a loss outside of it', () => {
  const verdict = judge(trial({ before: 20, after: 50 }), { happenings }, tally(1051, 4970));
  expect(verdict.complaints).toEqual([
    'a query over tcp was lost (ECONNRESET) that was sent 51 ms after the nearest happening',
    'a query over tcp was lost (ECONNRESET) that was sent 30 ms before the nearest happening',
  ]);
});

test('judge allows nothing where nothing may be lost, not even at the very moment', () => {
  expect(judge(trial(), { happenings }, tally(1000)).complaints).toHaveLength(1);
  expect(judge(trial(), { happenings }, tally()).complaints).toEqual([]);
});

test('a trial in which nobody asked has shown nothing', () => {
  const nobody = sumTallies([new TallyBook().tally()]);
  expect(judge(trial(), { happenings }, nobody).complaints).toEqual(['nothing was asked']);
});

test('the quantiles are upper bounds, in tenths of a millisecond', () => {
  const verdict = judge(trial(), { happenings }, tally());
  expect([verdict.p50Ms, verdict.p99Ms]).toEqual([0.3, 0.3]);
});
