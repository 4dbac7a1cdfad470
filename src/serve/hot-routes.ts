/**
 * Which queries packet threads and the kernel may answer by themselves under a configuration, and who hears of it: of each
 * zone on each listener, what the plugins before `cache` say they would have done (`PluginInstance.replay`). One that is
 * silent keeps its whole block on the chain, and one view its whole listener, since who asks decides there. The kernel's
 * answers are told to whoever asks, so one plugin that goes by the client keeps them from its whole block. Pure.
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
  /** Packet threads may give cached answers; otherwise why not, in words that follow `because`. */
  readonly fast: true | string;
  /** The kernel may; otherwise why not. Never true where `fast` is not. */
  readonly kernel: true | string;
}

export interface HotListener {
  /** Metric label. */
  readonly server: string;
  readonly routes: readonly HotRoute[];
}

export function hotRoutes(
  listeners: readonly PlannedListener[],
  records: readonly PluginRecord[],
): readonly HotListener[] {
  const blocks = Map.groupBy(records, ({ block }) => block);
  return listeners.map(({ server, members, transport }) => {
    const hasViews = members.some(({ block }) => blocks.get(block)?.some(({ instance }) => instance.view));
    const routes = members.flatMap(({ block, zones }) => {
      const own = blocks.get(block) ?? [];
      const replays = replaysOf(own);
      const allowed = typeof replays !== 'string' && hasViews ? VIEW_DECIDES : replays;
      const forbidden = transport === 'tls' ? 'queries come encrypted' : whoGoesByClient(own);
      return zones.map((zone) => routeOf(zone, allowed, forbidden));
    });
    return { server, routes };
  });
}

type PlannedListener = Pick<ListenerPlan, 'server' | 'members'> & Partial<Pick<ListenerPlan, 'transport'>>;

const VIEW_DECIDES = 'a view on the listener decides by who asks';

/** Of the plugins up to `cache`, in order; a reason when one of them is silent or there is no cache. */
function replaysOf(records: readonly PluginRecord[]): readonly Replay[] | string {
  // A word that only configures has no part in answers.
  const chain = records.filter(
    ({ instance }) => instance.plugin !== undefined || instance.describe !== undefined,
  );
  const cache = chain.findIndex(({ instance }) => instance.replay?.does === 'keep');
  if (cache < 0) return 'there is no cache in the block';
  const replays: Replay[] = [];
  for (const { word, instance } of chain.slice(0, cache + 1)) {
    if (instance.replay === undefined) return `${word} stands before cache and looks at every query`;
    replays.push(instance.replay);
  }
  return replays;
}

/** Also behind the cache: what it keeps of them is the answer to whoever asked first. */
function whoGoesByClient(records: readonly PluginRecord[]): string | undefined {
  return records.find(({ instance }) => instance.dependsOnClient)?.instance.dependsOnClient;
}

function routeOf(zone: Name, replays: readonly Replay[] | string, forbidden: string | undefined): HotRoute {
  const fast = typeof replays === 'string' ? replays : true;
  const all = typeof replays === 'string' ? [] : replays;
  const only = <D extends Replay['does']>(does: D) =>
    all.filter((replay): replay is ReplayOf<D> => replay.does === does);
  const keeps = only('keep');
  return {
    zone,
    replay: replaySpec(all, keeps),
    counts: only('count').map(({ add }) => add),
    logs: only('log').map(({ write }) => write),
    keeps: keeps.map(({ add }) => add),
    fast,
    kernel: forbidden ?? fast,
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
