/**
 * Text in aligned columns, laid out as the tools operators know lay it out: a column is as wide as its widest cell
 * plus three spaces and never under five, and the last cell of a row keeps its own width.
 */
import { printable } from './printable.ts';

const PADDING = 3;
const MIN_WIDTH = 5;

/** Rows may be of different lengths; a row's last cell does not widen its column. */
export function formatColumns(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? MIN_WIDTH, cell.length + PADDING);
    });
  }
  const lines = rows.map((row) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join(''),
  );
  return `${lines.join('\n')}\n`;
}
