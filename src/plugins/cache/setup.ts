/** `cache` may stand once in a block; its two shares are a partition of the process's memory for answers. */
import type { ReplayTotals, Setup } from '../contract.ts';
import { onlyDirective } from '../directive.ts';
import { cacheControl } from './control.ts';
import { type CacheOptions, showEntries } from './keep.ts';
import { cacheMetrics } from './metrics.ts';
import { readCacheSpec } from './options.ts';
import { cache, keepsAnswersTo } from './plugin.ts';

export const setup: Setup = ({ directives, block, host }) => {
  const spec = readCacheSpec(onlyDirective(directives), block.zones);
  const metricsOf = cacheMetrics(host.metrics, spec.zones.join(','));
  const partition = host.answers.open({
    successEntries: spec.success.entries,
    denialEntries: spec.denial.entries,
    keepTtl: spec.keepTtl,
    prefetch: spec.prefetch,
    positiveFirst: spec.preferPositive,
    onCrowdedOut: (share) => {
      const metrics = metricsOf(block.server);
      metrics.evictions[share].inc();
      showEntries(metrics, partition);
    },
  });
  const options: CacheOptions = { spec, partition, metricsOf, clock: host.clock, log: host.log };
  host.onRecordsChanged((names) => {
    if (partition.purge(names) > 0) showEntries(metricsOf(block.server), partition);
  });
  return {
    plugin: cache(options),
    handles: (name, type) => keepsAnswersTo({ name, type }, spec),
    cacheControl: cacheControl(options),
    replay: {
      does: 'keep',
      partition: partition.id,
      add: (server, totals) => addReplayed(metricsOf(server), totals),
    },
    onShutdown: () => partition.close(),
  };
};

/** Whatever packet threads answered was a hit. */
function addReplayed(metrics: ReturnType<ReturnType<typeof cacheMetrics>>, totals: ReplayTotals): void {
  metrics.requests.inc(totals.successHits + totals.denialHits);
  metrics.hits.success.inc(totals.successHits);
  metrics.hits.denial.inc(totals.denialHits);
}
