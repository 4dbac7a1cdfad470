/**
 * The indexes of one directive: this cluster's, and with multicluster zones another one over what other clusters export,
 * as if it were this cluster's own. Namespaces are this cluster's in both, as the Multi-Cluster Services API has one
 * meaning for a namespace everywhere.
 */
import type { ClusterSnapshot, KindName } from '../../../cluster/snapshot.ts';
import type { Readable } from '../../../store/store.ts';
import type { Clock } from '../../../telemetry/clock.ts';
import { type ClusterChange, type ClusterView, createServiceIndex } from './service-index.ts';

export interface ClusterViews {
  readonly view: ClusterView;
  /** What other clusters export; only with multicluster zones. */
  readonly imports?: ClusterView;
  /** Takes over the source's current value and every later one, until the returned function is called. */
  follow(source: Readable<ClusterSnapshot>): () => void;
}

export interface ClusterViewsSpec {
  readonly multicluster: boolean;
  readonly kinds: readonly KindName[];
  readonly clock: Clock;
  readonly onChange?: (change: ClusterChange, ofImports: boolean) => void;
}

/** Both are synced when everything is, and have one serial. */
export function createClusterViews({ multicluster, kinds, clock, onChange }: ClusterViewsSpec): ClusterViews {
  const own = createServiceIndex({ clock, kinds, onChange: (change) => onChange?.(change, false) });
  if (!multicluster) return { view: own, follow: own.follow };
  const others = createServiceIndex({
    clock,
    kinds: kinds.filter((kind) => kind === 'services' || kind === 'endpointSlices' || kind === 'namespaces'),
    onChange: (change) => onChange?.(change, true),
  });
  const serial = (): number => Math.max(own.serial(), others.serial());
  return {
    view: { ...own, serial },
    imports: { ...others, serial, synced: own.synced, podsAt: own.podsAt },
    follow(source) {
      const ends = [own.follow(source), others.follow(importsOf(source))];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

const REPLACED = { services: 'serviceImports', endpointSlices: 'importedSlices' } as const;

/** The snapshots of `source` with imports in the place of services, and their slices in the place of slices. */
function importsOf(source: Readable<ClusterSnapshot>): Readable<ClusterSnapshot> {
  return {
    get: () => asServices(source.get()),
    watch: (listener) => source.watch((snapshot) => listener(asServices(snapshot))),
  };
}

function asServices(snapshot: ClusterSnapshot): ClusterSnapshot {
  const { changed, synced } = snapshot;
  const renamed = new Map(changed);
  const listed = new Set(synced);
  for (const kind of ['services', 'endpointSlices'] as const) {
    const keys = changed?.get(REPLACED[kind]);
    if (keys === undefined) renamed.delete(kind);
    else renamed.set(kind, keys);
    rename(listed, kind, synced.has(REPLACED[kind]));
  }
  return {
    ...snapshot,
    services: snapshot.serviceImports,
    endpointSlices: snapshot.importedSlices,
    synced: listed,
    ...(changed !== undefined && { changed: renamed }),
  };
}

function rename(listed: Set<KindName>, kind: KindName, isListed: boolean): void {
  if (isListed) listed.add(kind);
  else listed.delete(kind);
}
