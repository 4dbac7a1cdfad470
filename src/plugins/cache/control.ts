/** What an administrator may see and do: entries as lines, forgetting them, handing them to the next process. */
import { className, rcodeName, typeName } from '../../dns/codes.ts';
import { canonicalName, equalNames, type Name } from '../../dns/name.ts';
import type { AnswerKey, StoredAnswer } from '../../wirecache/contract.ts';
import type { CacheControl } from '../contract.ts';
import { matchingZone } from '../zones.ts';
import { decodeEntry, encodeEntry, type HandedEntry } from './entry-bytes.ts';
import type { CacheOptions } from './keep.ts';
import { keepsAnswersTo } from './plugin.ts';
import { recordText } from './record-text.ts';
import { remainingTtl, sectionsOf } from './wire-answer.ts';

export function cacheControl(options: CacheOptions): CacheControl {
  const { clock, partition, spec } = options;
  const lines = function* (wanted: (name: Name) => boolean): Iterable<string> {
    for (const { key, answer } of partition.list()) {
      if (wanted(key.name)) yield entryText(key, answer, clock.monotonicMs());
    }
  };
  return {
    zones: spec.zones,
    dump: () => lines(() => true),
    lookup: (name) => [...lines((other) => equalNames(name, other))],
    flush(name, { below = false } = {}) {
      if (below) return partition.purge([name]);
      partition.distrust([name]);
      const found = [...partition.list()].filter(({ key }) => equalNames(name, key.name));
      for (const { key, answer } of found) partition.remove(key, answer.share);
      return found.length;
    },
    *exportEntries() {
      for (const { key, answer } of partition.list()) {
        const nowMs = clock.monotonicMs();
        if (remainingTtl(answer, nowMs) > 0) yield encodeEntry({ key, share: answer.share, answer }, nowMs);
      }
    },
    importEntry(bytes, isAnsweredBefore = () => false) {
      const entry = decodeEntry(bytes, clock.monotonicMs());
      if (entry === undefined || isAnsweredBefore(entry.key.name, entry.key.type)) return false;
      return importEntry(entry, options);
    },
  };
}

/** `name type class bits share rcode ttl-left records`: `-` for no bits, records parted by ` | `. */
function entryText(key: AnswerKey, answer: StoredAnswer, nowMs: number): string {
  const bits = [...(key.dnssecOk ? ['do'] : []), ...(key.checkingDisabled ? ['cd'] : [])].join(',') || '-';
  const sections = sectionsOf(answer);
  const records = [
    ...(sections?.answers ?? []),
    ...(sections?.authorities ?? []),
    ...(sections?.additionals ?? []),
  ].map(recordText);
  const head = [canonicalName(key.name), typeName(key.type), className(key.class), bits, answer.share];
  const rest = [rcodeName(answer.rcode), remainingTtl(answer, nowMs), records.join(' | ')];
  return [...head, ...rest].join(' ').trimEnd();
}

/** Only what this cache would have kept itself, and what is still good. */
function importEntry({ key, share, answer }: HandedEntry, { clock, partition, spec }: CacheOptions): boolean {
  if (!keepsAnswersTo(key, spec)) return false;
  if (answer.ttlSeconds > (answer.serverError ? spec.servfailSeconds : spec[share].maxTtlSeconds))
    return false;
  if (remainingTtl(answer, clock.monotonicMs()) <= 0) return false;
  if (matchingZone(spec[share].except, key.name) !== undefined) return false;
  partition.insert(key, share, answer);
  return true;
}
