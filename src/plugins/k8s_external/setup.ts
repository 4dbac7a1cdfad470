/** `k8s_external` may stand once in a block, beside the `kubernetes` that knows the cluster. */
import { canonicalName } from '../../dns/name.ts';
import type { ClusterNames, Setup } from '../contract.ts';
import { onlyDirective, wrongDirective } from '../directive.ts';
import { matchingZone } from '../zones.ts';
import { createChangeReader } from './changes.ts';
import { readExternalOptions } from './options.ts';
import { k8sExternal } from './plugin.ts';
import { transferZone } from './zone-transfer.ts';

export const setup: Setup = (context) => {
  const { host } = context;
  const options = readExternalOptions(context);
  let cluster: ClusterNames | undefined;
  return {
    plugin: k8sExternal({ options, cluster: () => cluster, resolve: host.resolve }),
    handles: (name) => matchingZone(options.zones, name) !== undefined,
    transfer(zone, sinceSerial) {
      const own = canonicalName(zone);
      if (cluster === undefined || !options.zones.includes(own)) return undefined;
      return transferZone(options, cluster, { zone: own, sinceSerial });
    },
    onStart() {
      cluster = host.neighbours().clusterNames;
      if (cluster === undefined) {
        const at = onlyDirective(context.directives).name;
        throw wrongDirective('k8s_external', at, 'kubernetes must stand in the same server block');
      }
      const namesOf = createChangeReader(options, cluster);
      cluster.onChanged((change) => {
        const names = namesOf(change);
        if (names.length > 0) host.recordsChanged(names);
      });
    },
  };
};
