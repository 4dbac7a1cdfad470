/** Puts the `kubernetes` plugin together. The watch starts with the server, not before, and ends with the instance. */
import { networkInterfaces } from 'node:os';
import { type Ip, parseIp } from '../../net/ip.ts';
import type { Setup } from '../contract.ts';
import { parseKubernetes } from './parse-directive.ts';
import { createKubernetesPlugin } from './plugin.ts';
import { waitForSync } from './startup.ts';
import { createServiceIndex } from './view/service-index.ts';

export const setup: Setup = (context) => {
  const { host } = context;
  const { options, need } = parseKubernetes(context);
  const index = createServiceIndex({ clock: host.clock, kinds: need.kinds });
  let localAddresses: readonly Ip[] = [];
  let unfollow: (() => void) | undefined;
  return {
    plugin: createKubernetesPlugin({
      options,
      view: index,
      localAddresses: () => localAddresses,
      resolve: host.resolve,
    }),
    ready: index.synced,
    onStart() {
      localAddresses = readLocalAddresses();
      unfollow = index.follow(host.cluster(need));
      const { clock, log } = host;
      return waitForSync({ synced: index.synced, timeoutMs: options.startupTimeoutMs, clock, log });
    },
    onShutdown() {
      unfollow?.();
    },
  };
};

/** Link-local addresses are nobody's endpoint, and mean nothing without the name of an interface. */
function readLocalAddresses(): readonly Ip[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((entry) => !entry.internal && !/^(?:fe80:|169\.254\.)/i.test(entry.address))
    .map((entry) => parseIp(entry.address))
    .filter((address) => address !== undefined);
}
