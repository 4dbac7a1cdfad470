/** A bar that was set, what was measured against it, and whether it is met: the last columns of every suite. */
import { median, quantile } from './statistics.ts';
import { figure, formatTable } from './table.ts';

export interface Bar {
  readonly what: string;
  readonly limit: number;
  /** `most`: the figure may not be above the limit; `least`: not below. */
  readonly bound: 'most' | 'least';
  /** Empty for ratios. */
  readonly unit: string;
  /** One value per round; the median counts. None: it could not be measured here. */
  readonly rounds: readonly number[];
}

const HEADINGS = ['bar', 'limit', 'measured', 'quartiles', 'verdict'];

export function formatVerdicts(bars: readonly Bar[]): string {
  return formatTable(HEADINGS, bars.map(verdictRow));
}

export function isMet({ bound, limit, rounds }: Bar): boolean {
  const measured = median(rounds);
  return bound === 'most' ? measured <= limit : measured >= limit;
}

/** With a question mark where half of the rounds, the middle ones, lie on both sides of the limit. */
function verdict(bar: Bar): string {
  const { rounds, limit } = bar;
  const isTossUp = quantile(rounds, 0.25) < limit && quantile(rounds, 0.75) > limit;
  return `${isMet(bar) ? 'met' : 'NOT MET'}${isTossUp ? '?' : ''}`;
}

function verdictRow(bar: Bar): readonly string[] {
  const { what, limit, bound, unit, rounds } = bar;
  const withUnit = (value: number) => `${figure(value)}${unit === '' ? '' : ` ${unit}`}`;
  const sign = bound === 'most' ? '<=' : '>=';
  if (rounds.length === 0) return [what, `${sign} ${withUnit(limit)}`, '-', '-', 'not measured'];
  const spread = `${figure(quantile(rounds, 0.25))}-${figure(quantile(rounds, 0.75))}`;
  return [
    what,
    `${sign} ${withUnit(limit)}`,
    withUnit(median(rounds)),
    rounds.length > 1 ? spread : '-',
    verdict(bar),
  ];
}
