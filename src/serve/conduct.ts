/** What the blocks of one listener make of it together (dns-server 1.5, 2.1, 2.2): routes with their views, and bounds. */
import type { Handler, Query } from '../server/handler.ts';
import type { ListenerConduct, ListenerTimeouts } from '../server/listener-options.ts';
import type { ServerRoute } from '../server/router.ts';
import type { ListenerPlan } from './plan/listener-plan.ts';
import type { PluginRecord } from './plugin-setup.ts';

/** A block as it came out of set-up. */
export interface LiveBlock {
  /** In chain order. */
  readonly records: readonly PluginRecord[];
  /** Absent when no plugin handles queries. */
  readonly handler: Handler | undefined;
}

/** Of two blocks that set the same bound the later one's counts; of two that bring a certificate, the first one's. */
export function conductOf(
  { members, transport }: Pick<ListenerPlan, 'members' | 'transport'>,
  { blocks, keptOptions }: { blocks: readonly LiveBlock[]; keptOptions: ReadonlySet<number> },
): ListenerConduct {
  const routes: ServerRoute[] = [];
  const instances: PluginRecord['instance'][] = [];
  for (const { block, zones } of members) {
    const live = blocks[block];
    if (live === undefined) continue;
    routes.push({ zones, ...routeOf(live) });
    instances.push(...live.records.map(({ instance }) => instance));
  }
  // A block may have keys of both kinds: its certificate does not make its plain listeners speak TLS.
  const isSecure = transport === 'tls';
  const tls = isSecure && instances.find((instance) => instance.tls !== undefined)?.tls;
  const timeouts: ListenerTimeouts = Object.assign({}, ...instances.map((instance) => instance.timeouts));
  return {
    routes,
    timeouts,
    keptOptions,
    ...(tls && { tls }),
    debug: instances.some(({ debug }) => debug === true),
    stacktrace: instances.some(({ stacktrace }) => stacktrace === true),
  };
}

function routeOf({ records, handler }: LiveBlock): Omit<ServerRoute, 'zones'> {
  const view = records.map(({ instance }) => instance.view).find((found) => found !== undefined);
  const anyClass = records.some(({ instance }) => instance.anyClass === true);
  return {
    anyClass,
    ...(handler && { handler }),
    ...(view && { view: view.name, accepts: withMetadata(records, view.accepts) }),
  };
}

/** A view may ask for what plugins know of a query: they are asked before it, where the block says `metadata`. */
function withMetadata(
  records: readonly PluginRecord[],
  accepts: (query: Query) => boolean,
): (query: Query) => boolean {
  if (!records.some(({ word }) => word === 'metadata')) return accepts;
  const describers = records.flatMap(({ instance }) => instance.describe ?? []);
  return (query) => {
    for (const describe of describers) describe(query);
    return accepts(query);
  };
}
