/** Where an address of this node lives: which host-side interface, and in which network namespace. */
import { AppError } from '../../fault/app-error.ts';
import type { Ip } from '../../net/ip.ts';
import { findLink } from '../../sys/netlink/links.ts';
import { findRoute } from '../../sys/netlink/routes.ts';
import { DATAPATH_ERRORS } from '../errors.ts';

export interface Location {
  /** Host-side interface; 0 when the address is the node's own. */
  readonly ifindex: number;
  readonly ifname: string;
  /** As the node's namespace knows the pod's; negative for its own. */
  readonly netnsId: number;
}

/** Asks the routing table of the thread's namespace; throws `DATAPATH_NO_INTERFACE` with what it found instead. */
export function locateAddress(address: Ip): Location {
  const route = findRoute(address);
  if (route === undefined) throw nowhere(address, 'there is no route to it', 'none');
  if (route.local) return { ifindex: 0, ifname: '', netnsId: -1 };
  const link = findLink(route.ifindex);
  if (link === undefined) throw nowhere(address, 'its interface is gone', `interface ${route.ifindex}`);
  if (route.viaGateway)
    throw nowhere(address, 'it is reached through a router, so it is not on this node', link.name);
  if (link.kind === 'bridge')
    throw nowhere(address, 'it is behind a bridge, which is not supported yet', link.name);
  if (link.kind !== 'veth' || link.peerNetnsId === undefined) {
    throw nowhere(
      address,
      'its interface is not a veth with its other end in a pod',
      `${link.name} ${link.kind}`,
    );
  }
  return { ifindex: link.ifindex, ifname: link.name, netnsId: link.peerNetnsId };
}

function nowhere(address: Ip, reason: string, received: string): AppError {
  const message = `Cannot find the interface of ${address}: ${reason}: received ${received}`;
  return new AppError('DATAPATH_NO_INTERFACE', message, { hint: DATAPATH_ERRORS.DATAPATH_NO_INTERFACE.cure });
}
