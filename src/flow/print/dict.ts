/** `-o dict` (spec hubble 3.2): one `KEY: value` per line, keys right-aligned to eleven columns. */
import type { GetFlowsResponse } from '../api.ts';
import { columnsOf, rowOf } from './columns.ts';
import type { PrintOptions } from './flow-words.ts';

/** Between two records. */
export const DICT_SEPARATOR = '------------\n';

const KEY_COLUMNS = 11;

/** Whole lines; empty for what dict does not show. */
export function formatDict(response: GetFlowsResponse, options: PrintOptions = {}): string {
  const row = rowOf(response, options);
  if (row === undefined) return '';
  return columnsOf(options)
    .filter((column) => row[column] !== undefined)
    .map((column) => dictLine(column, row[column] ?? ''))
    .join('');
}

export function dictLine(key: string, value: string): string {
  return `${key.padStart(KEY_COLUMNS)}: ${value}\n`;
}
