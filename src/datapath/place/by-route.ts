/**
 * Where the node itself would send a packet for an address: the second opinion, for namespaces that the kernel does not
 * let us look into, and the words for an address that no pod's veth leads to. One or more questions to the kernel per call.
 */
import type { Ip } from '../../net/ip.ts';
import { findLink, type LinkAnswer } from '../../sys/netlink/links.ts';
import { findBridgePort, findNeighbour, findRoute } from '../../sys/netlink/routes.ts';
import { type Location, noInterface, OWN_NAMESPACE } from './location.ts';

/** Follows the route, through a bridge by what it has learned. Throws `DATAPATH_NO_INTERFACE` with what it found instead. */
export function locateByRoute(address: Ip, isOpaque: (netnsId: number) => boolean): Location {
  const route = findRoute(address);
  if (route === undefined) throw noInterface(address, 'there is no route to it', 'none');
  if (route.local) return OWN_NAMESPACE;
  const first = findLink(route.ifindex);
  if (first === undefined) throw noInterface(address, 'its interface is gone', `interface ${route.ifindex}`);
  if (route.viaGateway)
    throw noInterface(address, 'it is reached through a router, so it is not on this node', first.name);
  const link = first.kind === 'bridge' ? portOf(address, first) : first;
  if (link.kind !== 'veth' || link.peerNetnsId === undefined) {
    const reason =
      link.kind === ''
        ? 'it is not on this node, or its interface is not a veth (macvlan, ipvlan, SR-IOV)'
        : 'its interface is not a veth with its other end in a pod';
    throw noInterface(address, reason, `${link.name} ${link.kind}`.trimEnd());
  }
  if (!isOpaque(link.peerNetnsId))
    throw noInterface(
      address,
      'the namespace behind its veth does not have it (a virtual machine)',
      link.name,
    );
  return { ifindex: link.ifindex, ifname: link.name, netnsId: link.peerNetnsId };
}

function portOf(address: Ip, bridge: LinkAnswer): LinkAnswer {
  const mac = findNeighbour(address, bridge.ifindex);
  const port = mac === undefined ? undefined : findBridgePort(bridge.ifindex, mac);
  const link = port === undefined ? undefined : findLink(port);
  if (link === undefined)
    throw noInterface(address, 'it is behind a bridge, and no pod there has it', bridge.name);
  return link;
}

/** Which interface the node would send to the address by; undefined when it would not. */
export function routedInterface(address: Ip): number | undefined {
  return findRoute(address)?.ifindex;
}
