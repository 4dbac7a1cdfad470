/**
 * What the caches of a process hold and what they were asked, and what the kernel answers for them, as lines of a table;
 * read off the metrics, which know it all.
 */
import type { AnswerCache } from '../wirecache/contract.ts';

const SAMPLE = /^coredns_cache_(entries|hits_total|misses_total|requests_total)\{(.*)\} (\S+)$/;
const KERNEL = /^zerohop_kernel_answers_(entries|slots|total) (\S+)$/gm;
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
    ...kernelLine(text),
  ];
}

/** Nothing where the kernel answers nothing: most servers. */
function kernelLine(text: string): string[] {
  const figures = Object.fromEntries(Array.from(text.matchAll(KERNEL), ([, name, value]) => [name, value]));
  const { entries, slots, total } = figures;
  return Number(slots ?? 0) === 0 ? [] : [`kernel entries ${entries} of ${slots} answers ${total}`];
}

/** Zones and addresses hold no quotes. */
function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
}
