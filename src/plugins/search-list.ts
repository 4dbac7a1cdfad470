/** The search list of a resolv.conf (resolv.conf(5)): the last `search` or `domain` line counts. */
import { canonicalName, type Name, parseName } from '../dns/name.ts';

/** Lower case; what is no name is left out. */
export function parseSearch(text: string): readonly Name[] {
  let search: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (word === 'search') search = rest;
    if (word === 'domain') search = rest.slice(0, 1);
  }
  return search.flatMap((name) => parseName(name) ?? []).map(canonicalName);
}
