/**
 * Which server block answers a question (dns-server 2.2): the longest zone wins, among blocks of the same zone the first
 * whose views accept. A DS record lives in the parent (RFC 4035 section 3.1.4.1), so DS goes to the uppermost zone
 * served here; the root block is not asked for it while any other zone matches, which is CoreDNS's rule.
 */
import { TYPE } from '../dns/codes.ts';
import type { Question } from '../dns/message.ts';
import { canonicalName, type Name, parentName, ROOT, upperName } from '../dns/name.ts';
import type { Handler, Query } from './handler.ts';

/** One server block on a listener. */
export interface ServerRoute {
  /** Lower case, fully qualified. */
  readonly zones: readonly Name[];
  /** Absent when no plugin of the block handles queries: then the block refuses them. */
  readonly handler?: Handler;
  /** A plugin of the block takes classes other than IN; one such block opens the whole listener. */
  readonly anyClass?: boolean;
  /** The view of the block: it must agree before the block is chosen. May write into the query's metadata. */
  readonly accepts?: (query: Query) => boolean;
  /** The view's name: `Query.view` of what the block handles. */
  readonly view?: string;
}

/** Immutable; a reload makes a new one. */
export interface Router {
  readonly anyClass: boolean;
  readonly byZone: ReadonlyMap<Name, readonly ServerRoute[]>;
  /** Characters of the longest zone: longer names need no looking up. */
  readonly longestZone: number;
}

export interface Found {
  readonly zone: Name;
  readonly route: ServerRoute;
}

export function routerOf(routes: readonly ServerRoute[]): Router {
  const byZone = new Map<Name, ServerRoute[]>();
  for (const route of routes) {
    for (const zone of route.zones) byZone.set(zone, [...(byZone.get(zone) ?? []), route]);
  }
  const longestZone = Math.max(0, ...routes.flatMap(({ zones }) => zones.map((zone) => zone.length)));
  return { byZone, longestZone, anyClass: routes.some((route) => route.anyClass) };
}

/** `accepts` asks the views of a candidate; undefined when the question is nobody's. */
export function findRoute(
  router: Router,
  question: Question,
  accepts: (found: Found) => boolean,
): Found | undefined {
  let remembered: Found | undefined;
  const first = upperName(canonicalName(question.name), router.longestZone);
  for (let zone = first; zone !== ROOT; zone = parentName(zone) ?? ROOT) {
    const found = pick(router, zone, accepts);
    if (found !== undefined && question.type !== TYPE.DS) return found;
    remembered = found ?? remembered;
  }
  return remembered ?? pick(router, ROOT, accepts);
}

/** A block without handlers is not asked for its views: it takes the question and refuses it. */
function pick(router: Router, zone: Name, accepts: (found: Found) => boolean): Found | undefined {
  for (const route of router.byZone.get(zone) ?? []) {
    const found = { zone, route };
    if (route.handler === undefined || route.accepts === undefined || accepts(found)) return found;
  }
  return undefined;
}
