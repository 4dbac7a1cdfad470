import { expect, test } from 'vitest';
import { formatLoadReport, loadReport } from './load-report.ts';

const sent = (sentAtMs: number, id: number, tookMs?: number) => ({
  sentAtMs,
  sourcePort: 4000,
  id,
  ...(tookMs === undefined ? {} : { tookMs }),
});
const phases = [
  { name: 'before', fromMs: 0 },
  { name: 'during', fromMs: 1000 },
  { name: 'after', fromMs: 2000 },
];
const answer = (atMs: number, id: number, server: string) => ({ sourcePort: 4000, id, atMs, server });

test('loadReport counts a query in the phase it was sent in, and whom the flows saw answer it', () => {
  const rows = loadReport([sent(500, 1, 2), sent(999, 2), sent(1000, 3, 40), sent(2500, 4, 1)], phases, [
    answer(502, 1, 'cache'),
    answer(1040, 3, 'coredns'),
    answer(2501, 4, 'cache'),
  ]);
  expect(rows.map(({ phase, sent: all, answered, lost }) => [phase, all, answered, lost])).toEqual([
    ['before', 2, 1, 1],
    ['during', 1, 1, 0],
    ['after', 1, 1, 0],
  ]);
  expect(rows.map(({ by }) => [...by])).toEqual([[['cache', 1]], [['coredns', 1]], [['cache', 1]]]);
  expect(rows[1]?.worstMs).toBe(40);
});

test('loadReport does not take the answer of another time for an answer, though port and id are the same', () => {
  const [before] = loadReport([sent(500, 1, 2)], phases.slice(0, 1), [answer(9000, 1, 'cache')]);
  expect([...(before?.by ?? [])]).toEqual([['unseen', 1]]);
});

test('formatLoadReport lines its columns up', () => {
  const text = formatLoadReport(
    loadReport([sent(500, 1, 2.34)], phases, [answer(502, 1, 'kube-system/cache')]),
  );
  expect(text.split('\n').slice(0, 2)).toEqual([
    'phase   sent  answered  lost  slowest  answered by',
    'before  1     1         0     2.3 ms   kube-system/cache 1',
  ]);
});
