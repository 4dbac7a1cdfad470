/** `cache` may stand once in a block; its two shares are made here, as large as the operator says. */
import type { Setup } from '../contract.ts';
import { onlyDirective } from '../directive.ts';
import { SieveStore } from './answer-store.ts';
import type { CachedAnswer } from './cached-answer.ts';
import { cacheMetrics } from './metrics.ts';
import { readCacheSpec, type ShareSpec } from './options.ts';
import { cache } from './plugin.ts';

/** Room per entry, on average: a few answers of 64 KiB fit beside many small ones, a cache full of them does not. */
const BYTES_PER_ENTRY = 1024;

export const setup: Setup = ({ directives, block, host }) => {
  const spec = readCacheSpec(onlyDirective(directives), block.zones);
  const stores = { success: makeStore(spec.success), denial: makeStore(spec.denial) };
  const metricsOf = cacheMetrics(host.metrics, spec.zones.join(','));
  return { plugin: cache({ spec, stores, metricsOf, clock: host.clock, log: host.log }) };
};

function makeStore({ entries }: ShareSpec): SieveStore<CachedAnswer> {
  return new SieveStore({ entries, bytes: entries * BYTES_PER_ENTRY });
}
