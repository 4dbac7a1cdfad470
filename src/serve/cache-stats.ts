/** What the caches of a process hold and what they were asked, as lines of a table; read off the metrics, which know it all. */
import type { AnswerCache } from '../wirecache/contract.ts';

const SAMPLE = /^coredns_cache_(entries|hits_total|misses_total|requests_total)\{(.*)\} (\S+)$/;
const KIB = 1024;

/** `text` is the exposition. */
export function cacheStats(answers: Pick<AnswerCache, 'usedBytes' | 'budgetBytes'>, text: string): string[] {
  const caches = new Map<string, Record<string, number>>();
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (name === '') continue;
    const key = `${labelOf(labels, 'server')} ${labelOf(labels, 'zones')}`;
    const sums = caches.get(key) ?? {};
    sums[name] = (sums[name] ?? 0) + Number(value);
    caches.set(key, sums);
  }
  const { usedBytes, budgetBytes } = answers;
  return [
    `memory ${Math.round(usedBytes / KIB)} of ${Math.round(budgetBytes / KIB)} KiB`,
    ...[...caches].map(([key, sums]) => {
      const of = (name: string) => sums[name] ?? 0;
      return `${key} entries ${of('entries')} requests ${of('requests_total')} hits ${of('hits_total')} misses ${of('misses_total')}`;
    }),
  ];
}

/** Zones and addresses hold no quotes. */
function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
}
