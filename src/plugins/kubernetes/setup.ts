/** Puts the `kubernetes` plugin together. The watch starts with the server, not before, and ends with the instance. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { canonicalName, type Name } from '../../dns/name.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import type { PluginInstance, Setup } from '../contract.ts';
import { parseSearch } from '../search-list.ts';
import { matchingZone } from '../zones.ts';
import { changedNames } from './changed-names.ts';
import type { Scope } from './lookup/scope.ts';
import { serverNames } from './lookup/server-names.ts';
import { createZoneSoa } from './lookup/zone-soa.ts';
import { isMulticlusterZone, type KubernetesOptions } from './options.ts';
import { createOutsideNames } from './outside-names.ts';
import { parseKubernetes } from './parse-directive.ts';
import { createKubernetesPlugin } from './plugin.ts';
import { createLatencyRecorder } from './programming-latency.ts';
import { describeQuery } from './query-metadata.ts';
import { podSearchPath } from './search-path.ts';
import { waitForSync } from './startup.ts';
import { createClusterViews } from './view/cluster-views.ts';
import type { ClusterChange, ClusterView } from './view/service-index.ts';
import { transferZone } from './zone-transfer.ts';

export const setup: Setup = (context) => {
  const { host } = context;
  const { options, need } = parseKubernetes(context);
  const { clock, log } = host;
  let localAddresses: readonly Ip[] = [];
  const { view, imports, follow } = createClusterViews({
    multicluster: options.multiclusterZones.length > 0,
    kinds: need.kinds,
    clock,
    onChange: whenChanged,
  });
  const soa = createZoneSoa(options, view.serial);
  const scopeOf = (zone: Name): Scope => ({
    view: imports !== undefined && isMulticlusterZone(options, zone) ? imports : view,
    options,
    zone,
    soa,
    localAddresses,
    answerBytes: Number.POSITIVE_INFINITY,
  });
  const outside = createOutsideNames({ options, view, localAddresses: () => localAddresses });
  const recordLatency = createLatencyRecorder(host.metrics, clock);
  const serversChanged = createServersWatch(() => scopeOf(options.primaryZone));

  function whenChanged(change: ClusterChange, ofImports: boolean): void {
    if (!ofImports) {
      if (view.synced() && !change.becameSynced) recordLatency(view, change);
      outside.tell(change);
    }
    // The zone's own name servers stand at its top, and a name stands for all below it.
    const names = serversChanged()
      ? options.zones
      : changedNames(
          { options, view: (ofImports ? imports : undefined) ?? view, imports: ofImports },
          change,
        );
    if (names.length > 0) host.recordsChanged(names);
  }

  let unfollow: (() => void) | undefined;
  return {
    plugin: createKubernetesPlugin({
      options,
      view,
      ...(imports && { imports }),
      localAddresses: () => localAddresses,
      resolve: host.resolve,
    }),
    handles: (name) => matchingZone(options.zones, name) !== undefined,
    ready: view.synced,
    describe: (query) => describeQuery({ options, view }, query),
    ...verifiedOnly(options, view),
    clusterNames: outside.names,
    transfer(zone, sinceSerial) {
      const own = canonicalName(zone);
      return options.zones.includes(own) ? transferZone(scopeOf(own), sinceSerial) : undefined;
    },
    onStart() {
      localAddresses = readLocalAddresses();
      const source = host.cluster(need);
      unfollow = follow(source);
      // Watchers are called in their order: the view has followed by then.
      const watch = (listener: () => void) => source.watch(listener);
      return waitForSync({ synced: view.synced, watch, timeoutMs: options.startupTimeoutMs, clock, log });
    },
    onShutdown() {
      unfollow?.();
    },
  };
};

/** What only those may offer who watch the pods. */
function verifiedOnly(options: KubernetesOptions, view: ClusterView): Pick<PluginInstance, 'searchPath'> {
  if (options.pods !== 'verified') return {};
  const hostSearch = readHostSearch();
  return { searchPath: (query) => podSearchPath({ options, view, hostSearch }, query) };
}

/** Tells whether the zone's name servers are others than the last time. */
function createServersWatch(scope: () => Scope): () => boolean {
  let last: string | undefined;
  return () => {
    const before = last;
    last = JSON.stringify(serverNames(scope()));
    return before !== undefined && before !== last;
  };
}

function readHostSearch(): readonly Name[] {
  try {
    return parseSearch(readFileSync('/etc/resolv.conf', 'utf8'));
  } catch {
    // A container without the file has no suffixes to append.
    return [];
  }
}

/** Link-local addresses are nobody's endpoint, and mean nothing without the name of an interface. */
function readLocalAddresses(): readonly Ip[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((entry) => !entry.internal && !/^(?:fe80:|169\.254\.)/i.test(entry.address))
    .map((entry) => parseIp(entry.address))
    .filter((address) => address !== undefined);
}
