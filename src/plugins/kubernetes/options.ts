/**
 * The plugin's directive as values, already checked: what `setup.ts` reads and everything else obeys. Zones are lower
 * case and fully qualified. Deliberately absent: where the API server is, which only `setup.ts` passes on.
 */
import type { KindName } from '../../cluster/snapshot.ts';
import { canonicalName, type Name } from '../../dns/name.ts';

export const POD_MODES = ['disabled', 'insecure', 'verified'] as const;
/** Whether `1-2-3-4.ns.pod.ZONE` is refused, taken at its word, or checked against the pods (dns-server 3.4). */
export type PodMode = (typeof POD_MODES)[number];

export interface KubernetesOptions {
  /** At least one; forward and reverse zones mixed. */
  readonly zones: readonly Name[];
  /** The first zone that is not a reverse one: PTR targets end in it. */
  readonly primaryZone: Name;
  /** Namespaces to show; absent means all. Never empty. */
  readonly namespaces?: ReadonlySet<string>;
  readonly pods: PodMode;
  readonly endpointPodNames: boolean;
  /** 0 to 3600. */
  readonly ttlSeconds: number;
  /** False with `noendpoints`: headless services and endpoint names do not exist then. */
  readonly endpoints: boolean;
  /** Where NXDOMAIN means "ask the next plugin"; empty means nowhere. */
  readonly fallthrough: readonly Name[];
  /** A ClusterIP service without a ready endpoint does not exist. */
  readonly ignoreEmptyService: boolean;
  /** Headless services can be asked for the endpoints of one zone. */
  readonly zonal: boolean;
  /** Those of `zones` whose services are the ServiceImports. */
  readonly multiclusterZones: readonly Name[];
  readonly startupTimeoutMs: number;
}

/** The kinds that must have been listed once before absence from the snapshot means NXDOMAIN. */
export function neededKinds(
  options: Pick<KubernetesOptions, 'endpoints' | 'pods' | 'multiclusterZones'>,
): readonly KindName[] {
  const imports = options.multiclusterZones.length > 0;
  return [
    'services',
    'namespaces',
    ...(options.endpoints ? (['endpointSlices'] as const) : []),
    ...(imports ? (['serviceImports'] as const) : []),
    ...(imports && options.endpoints ? (['importedSlices'] as const) : []),
    ...(options.pods === 'verified' ? (['pods'] as const) : []),
  ];
}

/** `zone` in any case. */
export function isMulticlusterZone({ multiclusterZones }: KubernetesOptions, zone: Name): boolean {
  return multiclusterZones.length > 0 && multiclusterZones.includes(canonicalName(zone));
}
