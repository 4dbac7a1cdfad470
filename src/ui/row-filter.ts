/**
 * Which queries a page wants to see, as its address says it. Unknown words are left out, so that an address of another
 * version still opens; text is compared as text, never as a pattern.
 */
import type { WireQuery } from './wire.ts';

export interface RowFilter {
  readonly namespace?: string;
  readonly pod?: string;
  readonly name?: string;
  readonly rcode?: string;
  /** An outcome, or `kernel`: what the kernel answered. */
  readonly outcome?: string;
  /** Milliseconds; what was not answered is slow. */
  readonly slowMs?: number;
  readonly bypassedOnly: boolean;
  /** Queries of caches and cluster DNS too. */
  readonly servers: boolean;
}

const MAX_TEXT = 300;

export function parseRowFilter(query: URLSearchParams): RowFilter {
  const slow = Number(query.get('slow') ?? '');
  const text = (key: string) => {
    const value = query.get(key)?.trim().slice(0, MAX_TEXT).toLowerCase();
    return value === undefined || value === '' ? undefined : value;
  };
  const [namespace, pod, name] = [text('ns'), text('pod'), text('name')];
  const [rcode, outcome] = [text('rcode'), text('verdict')];
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(pod === undefined ? {} : { pod }),
    ...(name === undefined ? {} : { name }),
    ...(rcode === undefined ? {} : { rcode }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(slow > 0 && Number.isFinite(slow) ? { slowMs: slow } : {}),
    bypassedOnly: query.get('bypassed') === '1',
    servers: query.get('servers') === '1',
  };
}

export function matchesRow(filter: RowFilter, row: WireQuery): boolean {
  const { namespace, pod, name, rcode, outcome, slowMs } = filter;
  if (!filter.servers && row.asker !== 'pod') return false;
  if (filter.bypassedOnly && row.outcome === 'entered') return false;
  if (outcome !== undefined && row.outcome !== outcome && row.served !== outcome) return false;
  if (namespace !== undefined && !row.client.toLowerCase().startsWith(`${namespace}/`)) return false;
  if (pod !== undefined && !row.client.toLowerCase().includes(pod)) return false;
  if (name !== undefined && !row.name.toLowerCase().includes(name)) return false;
  if (rcode !== undefined && (row.rcode?.toLowerCase() ?? 'none') !== rcode) return false;
  return slowMs === undefined || row.ms === undefined || row.ms >= slowMs;
}
