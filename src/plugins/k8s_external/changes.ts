/** Which names of our zones have other answers after a change of the cluster: a name stands for all below it. */
import { joinName, type Name } from '../../dns/name.ts';
import type { ClusterNames, ServicesChange } from '../contract.ts';
import type { ExternalOptions } from './options.ts';
import { serverAddresses } from './records.ts';
import { reverseName } from './reverse.ts';

/** To be made once the cluster is known, and called with every change in turn. */
export function createChangeReader(
  options: ExternalOptions,
  cluster: ClusterNames,
): (change: ServicesChange) => readonly Name[] {
  let servers = '';
  return ({ all, services, addresses }) => {
    const before = servers;
    servers = serverAddresses(cluster, options.headless).join(' ');
    // The name servers stand at the top of each zone.
    if (all || servers !== before) return options.zones;
    const names = services.flatMap(({ namespace, name }) =>
      options.zones.flatMap((zone) => joinName([name, namespace], zone) ?? []),
    );
    return [...names, ...addresses.map(reverseName)];
  };
}
