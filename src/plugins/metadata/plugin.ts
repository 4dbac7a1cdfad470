/**
 * Has the plugins of the block write down what they know about a query, before any of them answers. Without it nobody is
 * asked, since most Corefiles have no use for the facts and every query would pay for them.
 */
import type { Name } from '../../dns/name.ts';
import type { Plugin, Query } from '../../server/handler.ts';
import { matchingZone } from '../zones.ts';

export interface MetadataOptions {
  readonly zones: readonly Name[];
  /** Asked for each query: the other plugins of the block are set up later than this one. */
  readonly describers: () => readonly ((query: Query) => void)[];
}

export function metadata({ zones, describers }: MetadataOptions): Plugin {
  return (next) => (query) => {
    if (matchingZone(zones, query.question.name) !== undefined) {
      for (const describe of describers()) describe(query);
    }
    return next(query);
  };
}
