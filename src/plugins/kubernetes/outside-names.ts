/** What `k8s_external` may know of the cluster, through the contract: rows that this plugin shows, and nothing else. */
import type { Ip } from '../../net/ip.ts';
import type { ClusterNames, ServicesChange } from '../contract.ts';
import { services } from './changed-names.ts';
import { endpointHost } from './lookup/endpoint-host.ts';
import type { KubernetesOptions } from './options.ts';
import type { ClusterChange, ClusterView } from './view/service-index.ts';

/** Longer lists are not worth making. */
const MAX_SERVICES = 1000;

export interface OutsideNames {
  readonly names: ClusterNames;
  /** Passes a change on to those who listen. */
  tell(change: ClusterChange): void;
}

export function createOutsideNames(parts: {
  readonly options: KubernetesOptions;
  readonly view: ClusterView;
  readonly localAddresses: () => readonly Ip[];
}): OutsideNames {
  const { options, view, localAddresses } = parts;
  const listeners: ((change: ServicesChange) => void)[] = [];
  const isChosen = (namespace: string): boolean => options.namespaces?.has(namespace) ?? true;
  return {
    names: {
      synced: view.synced,
      serial: view.serial,
      namespaceShown: (namespace) => isChosen(namespace) && view.namespaceExists(namespace),
      service: view.service,
      slicesOf: view.slicesOf,
      services: view.services,
      servicesOutsideAt: (address) =>
        view.servicesOutsideAt(address).filter((row) => isChosen(row.namespace)),
      endpointLabel: (endpoint, address) => endpointHost(endpoint, address, options.endpointPodNames),
      ownSlices: () => [...new Set(localAddresses().flatMap((address) => view.slicesAt(address)))],
      localAddresses,
      onChanged: (listener) => void listeners.push(listener),
    },
    tell(change) {
      if (listeners.length === 0) return;
      const news = servicesChange(change);
      for (const listener of listeners) listener(news);
    },
  };
}

function servicesChange(change: ClusterChange): ServicesChange {
  const found = [...services(change)];
  const all = change.becameSynced || change.namespaces.length > 0 || found.length > MAX_SERVICES;
  if (all) return { all, services: [], addresses: [] };
  const rows = change.services.flatMap(({ before, after }) => [before, after]);
  const addresses = rows.flatMap((row) => [...(row?.externalIPs ?? []), ...(row?.ingressIPs ?? [])]);
  return { all, services: found, addresses: [...new Set(addresses)] };
}
