/**
 * Runs to a table. Ratios are taken inside a round, where the machine was equally busy for all, and only then the median
 * over the rounds; the absolute figures are for those who have the machine to themselves.
 */
import type { Run } from './load.ts';

/** The runs of one server, one per round, in the same order for all. */
export interface Series {
  readonly name: string;
  readonly runs: readonly Run[];
}

const HEADINGS = ['server', 'q/s', 'best', 'CPU us/query', 'least', 'q/s : floor', 'CPU : floor', 'lost'];

/** `floor` is the server the others are compared with. */
export function formatReport(floor: Series, all: readonly Series[]): string {
  const rows = [HEADINGS, ...all.map((series) => row(series, floor))];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells) => formatRow(cells, widths)).join('\n');
}

function row({ name, runs }: Series, floor: Series): readonly string[] {
  const rates = runs.map((run) => run.queriesPerSecond);
  const costs = runs.map((run) => run.cpuMicros);
  return [
    name,
    median(rates).toFixed(0),
    Math.max(...rates).toFixed(0),
    median(costs).toFixed(2),
    Math.min(...costs).toFixed(2),
    median(rates.map((rate, i) => rate / (floor.runs[i]?.queriesPerSecond ?? Number.NaN))).toFixed(2),
    median(costs.map((cost, i) => cost / (floor.runs[i]?.cpuMicros ?? Number.NaN))).toFixed(2),
    String(runs.reduce((sum, run) => sum + run.lost, 0)),
  ];
}

/** Names to the left, figures to the right. */
function formatRow(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => {
    const width = widths[column] ?? 0;
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  });
  return padded.join('  ');
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (low + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}
