/** What the lines of `acl` say, and which of them decides about a query. Pure. */
import type { Name } from '../../dns/name.ts';
import type { Ip } from '../../net/ip.ts';
import { matchingZone } from '../zones.ts';
import type { Networks } from './networks.ts';

export type Action = 'allow' | 'block' | 'filter' | 'drop';

/** A line. */
export interface Policy {
  readonly action: Action;
  /** Absent: all types. */
  readonly types: ReadonlySet<number> | undefined;
  readonly networks: Networks;
}

/** An `acl { … }`. */
export interface Stanza {
  readonly zones: readonly Name[];
  readonly policies: readonly Policy[];
}

export interface Decision {
  readonly action: Action;
  /** Of the stanza that decided. */
  readonly zone: Name;
}

export interface Subject {
  readonly name: Name;
  readonly type: number;
  readonly client: Ip;
}

/**
 * In each stanza with a zone for the name the first line that fits counts. `allow` ends the search as much as the others
 * do; a stanza without a fitting line leaves it to the next.
 */
export function decide(stanzas: readonly Stanza[], { name, type, client }: Subject): Decision | undefined {
  for (const { zones, policies } of stanzas) {
    const zone = matchingZone(zones, name);
    if (zone === undefined) continue;
    const policy = policies.find(
      ({ types, networks }) => (types === undefined || types.has(type)) && networks.contains(client),
    );
    if (policy !== undefined) return { action: policy.action, zone };
  }
  return undefined;
}
