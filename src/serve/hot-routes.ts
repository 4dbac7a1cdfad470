/**
 * Which queries packet threads may answer by themselves under a configuration, and who hears of it: of each zone on each
 * listener, what the plugins before `cache` say they would have done (`PluginInstance.replay`). One that is silent keeps
 * its whole block on the chain, and one view its whole listener, since who asks decides there. Pure.
 */
import type { Name } from '../dns/name.ts';
import type { Replay } from '../plugins/contract.ts';
import type { ReplaySpec, RouteSpec } from '../wirecache/contract.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';
import type { PluginRecord } from './plugin-setup.ts';

type ReplayOf<D extends Replay['does']> = Extract<Replay, { readonly does: D }>;

/** One zone of one listener. */
export interface HotRoute extends RouteSpec {
  readonly counts: readonly ReplayOf<'count'>['add'][];
  readonly logs: readonly ReplayOf<'log'>['write'][];
  readonly keeps: readonly ReplayOf<'keep'>['add'][];
}

export interface HotListener {
  /** Metric label. */
  readonly server: string;
  readonly routes: readonly HotRoute[];
}

export function hotRoutes(
  listeners: readonly Pick<ListenerPlan, 'server' | 'members'>[],
  records: readonly PluginRecord[],
): readonly HotListener[] {
  const blocks = Map.groupBy(records, ({ block }) => block);
  return listeners.map(({ server, members }) => {
    const hasViews = members.some(({ block }) => blocks.get(block)?.some(({ instance }) => instance.view));
    const routes = members.flatMap(({ block, zones }) => {
      const replays = hasViews ? undefined : replaysOf(blocks.get(block) ?? []);
      return zones.map((zone) => routeOf(zone, replays));
    });
    return { server, routes };
  });
}

/** Of the plugins up to `cache`, in order; undefined when one of them is silent or there is no cache. */
function replaysOf(records: readonly PluginRecord[]): readonly Replay[] | undefined {
  const replays: Replay[] = [];
  for (const { instance } of records) {
    // A word that only configures has no part in answers.
    if (instance.plugin === undefined && instance.describe === undefined) continue;
    if (instance.replay === undefined) return undefined;
    replays.push(instance.replay);
    if (instance.replay.does === 'keep') return replays;
  }
  return undefined;
}

function routeOf(zone: Name, replays: readonly Replay[] | undefined): HotRoute {
  const all = replays ?? [];
  const only = <D extends Replay['does']>(does: D) =>
    all.filter((replay): replay is ReplayOf<D> => replay.does === does);
  const keeps = only('keep');
  return {
    zone,
    replay: replaySpec(all, keeps),
    counts: only('count').map(({ add }) => add),
    logs: only('log').map(({ write }) => write),
    keeps: keeps.map(({ add }) => add),
  };
}

function replaySpec(replays: readonly Replay[], keeps: readonly ReplayOf<'keep'>[]): ReplaySpec | undefined {
  const [keep] = keeps;
  if (keep === undefined) return undefined;
  const limits = replays.flatMap((replay) => (replay.does === 'limit' ? [replay.bytes] : []));
  return {
    partition: keep.partition,
    shuffle: replays.some(({ does }) => does === 'shuffle'),
    limitBytes: limits.length === 0 ? undefined : Math.min(...limits),
    // The cache's own hits are to be told in any case.
    counted: true,
  };
}
