/**
 * The caches of one process as lines of text, and into the caches of another. A cache is recognised by its zones; of
 * several with the same zones the first is the first. What the receiving cache would not keep itself it does not take.
 */
import type { Name } from '../../dns/name.ts';
import type { CacheControl } from '../../plugins/contract.ts';
import type { Generation } from '../generation.ts';

/** So that the sender's event loop is never held up for long by one line. */
const ENTRIES_A_LINE = 8;

export function cachesOf({ records }: Pick<Generation, 'records'>): readonly CacheControl[] {
  return records.flatMap(({ instance }) => instance.cacheControl ?? []);
}

/**
 * As `cachesOf`, taking no entry for what plugins in front of the cache answer by themselves: the other process may not
 * have had those, and packet threads look into the cache alone.
 */
export function receivingCachesOf({ records }: Pick<Generation, 'records'>): readonly CacheControl[] {
  return records.flatMap(({ block, instance: { cacheControl } }, at) => {
    if (cacheControl === undefined) return [];
    const before = records.slice(0, at).filter((record) => record.block === block);
    const isAnsweredBefore = (name: Name, type: number) =>
      before.some(({ instance }) => instance.plugin !== undefined && instance.handles?.(name, type) === true);
    return { ...cacheControl, importEntry: (entry) => cacheControl.importEntry(entry, isAnsweredBefore) };
  });
}

/** Entries are read as they are sent. */
export function* exportCaches(caches: readonly CacheControl[]): Generator<string, void, void> {
  for (const cache of caches) {
    yield `cache ${cache.zones.join(' ')}`;
    let line: string[] = [];
    for (const entry of cache.exportEntries()) {
      line.push(Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength).toString('base64'));
      if (line.length < ENTRIES_A_LINE) continue;
      yield line.join(' ');
      line = [];
    }
    if (line.length > 0) yield line.join(' ');
  }
}

/** How many entries were taken. */
export async function importCaches(
  caches: readonly CacheControl[],
  lines: AsyncIterable<string>,
): Promise<number> {
  const left = [...caches];
  let into: CacheControl | undefined;
  let taken = 0;
  for await (const line of lines) {
    if (line.startsWith('cache ')) {
      const zones = line.slice('cache '.length);
      const at = left.findIndex((cache) => cache.zones.join(' ') === zones);
      into = at < 0 ? undefined : left.splice(at, 1)[0];
    } else if (into !== undefined) {
      for (const text of line.split(' ')) if (into.importEntry(Buffer.from(text, 'base64'))) taken++;
    }
  }
  return taken;
}
