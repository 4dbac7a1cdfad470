/**
 * Which NXDOMAINs the search list made (resolv.conf(5), ndots). A resolver tries the ends in their order, so an answer counts
 * when what stands before the end could not have been meant with it: it has a dot of its own, or the same client has just
 * been told that it does not exist with the end before. A name of a service that is typed wrong is none.
 */
import type { AnsweredEvent } from './dns-event.ts';
import { Recent } from './recent.ts';

const PLACES = 4096;
/** From one end of the list to the next; a resolver goes on at once. */
const NEXT_MS = 5_000;

/** What was answered NXDOMAIN; A and AAAA of a name each go through the list. */
export type MissedName = Pick<AnsweredEvent, 'client' | 'name' | 'qtype' | 'atMs'>;

interface Tried {
  readonly end: number;
  readonly atMs: number;
  readonly counted: boolean;
}

export class SearchMisses {
  readonly #tried = new Recent<Tried>(PLACES);

  /** The ends that count by this answer: none, its own, or its own and the one before. */
  miss({ client, name, qtype, atMs }: MissedName, search: readonly string[]): readonly string[] {
    const end = search.findIndex((suffix) => name.endsWith(`.${suffix}`));
    const suffix = search[end];
    if (suffix === undefined) return [];
    const asked = name.slice(0, -suffix.length - 1);
    const key = `${client} ${qtype} ${asked}`;
    const before = this.#tried.get(key);
    const follows = before !== undefined && before.end === end - 1 && atMs - before.atMs < NEXT_MS;
    const counts = follows || (end === 0 && asked.includes('.'));
    this.#tried.set(key, { end, atMs, counted: counts });
    if (!counts) return [];
    const late = follows && !before.counted ? (search[end - 1] ?? []) : [];
    return [late, suffix].flat();
  }
}

/** The search list of a pod with dnsPolicy ClusterFirst; all with the trailing dot, in lower case. */
export function searchList(namespace: string, domain: string, ofNode: readonly string[]): readonly string[] {
  return [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...ofNode]
    .map((text) => `${text.toLowerCase().replace(/\.+$/, '')}.`)
    .filter((text) => text !== '.');
}
