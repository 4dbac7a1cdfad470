/**
 * `bpf answers list`: what the kernel would answer by itself at this moment, an entry a line. Names are what pods asked for:
 * whatever is in them is printed harmlessly, and a long one is cut, for it would
 * pad every line. JSON has them whole.
 */
import { formatColumns } from '../../policy/columns.ts';
import type { ListedEntry } from '../answers/node-answers.ts';
import type { AnswerListing } from '../wire.ts';

const TITLE = ['SHELF', 'LISTENER', 'NAME', 'TYPE', 'FLAGS', 'RCODE', 'RECORDS', 'TTL', 'HITS', 'SIZE'];

/** Characters of a name. Those of services are shorter; the longest there can be has a thousand, each byte of it escaped. */
const NAME_AT_MOST = 80;

/** In the order of the listing; its last line says so when there are more. */
export function formatAnswerList({ entries, left }: Pick<AnswerListing, 'entries' | 'left'>): string {
  const rest = left === 0 ? '' : `${left} more are not listed\n`;
  return `${formatColumns([TITLE, ...entries.map(rowOf)])}${rest}`;
}

function rowOf(entry: ListedEntry): readonly string[] {
  const marks = [
    ...(entry.dnssecOk ? ['DO'] : []),
    ...(entry.checkingDisabled ? ['CD'] : []),
    ...(entry.rotates ? ['rotate'] : []),
    ...(entry.logged ? ['log'] : []),
  ];
  return [
    String(entry.shelf),
    entry.listener ?? `view ${entry.view}`,
    shortened(entry.name),
    entry.type,
    marks.join(',') || '-',
    entry.rcode,
    entry.records.join('/'),
    String(entry.ttl),
    String(entry.hits),
    entry.size,
  ];
}

function shortened(name: string): string {
  return name.length <= NAME_AT_MOST ? name : `${name.slice(0, NAME_AT_MOST - 1)}…`;
}
