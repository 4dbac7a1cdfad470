/** `-o table` (spec hubble 3.3): a header and aligned columns, three blanks between them; the last one is as long as it is. */
import type { GetFlowsResponse } from '../api.ts';
import { columnsOf, rowOf } from './columns.ts';
import type { PrintOptions } from './flow-words.ts';

const BLANKS = 3;

/** Whole lines, never coloured; nothing at all without a row. */
export function formatTable(responses: readonly GetFlowsResponse[], options: PrintOptions = {}): string {
  const columns = columnsOf(options);
  const rows = responses.flatMap((response) => rowOf(response, { ...options, color: false }) ?? []);
  if (rows.length === 0) return '';
  const cells = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))];
  const widths = columns.map((_, at) =>
    cells.reduce((most, line) => Math.max(most, widthOf(line[at] ?? '')), 0),
  );
  return cells
    .map(
      (line) =>
        `${line.map((cell, at) => padded(cell, at === line.length - 1 ? 0 : (widths[at] ?? 0) + BLANKS)).join('')}\n`,
    )
    .join('');
}

/** In characters, not in UTF-16 units. */
function widthOf(text: string): number {
  return [...text].length;
}

function padded(text: string, width: number): string {
  return `${text}${' '.repeat(Math.max(0, width - widthOf(text)))}`;
}
