/** Where the namespace of the calling thread would send a packet: its routes, neighbours, and what its bridges learned. */
import { type Ip, ipBytes, ipFamily } from '../../net/ip.ts';
import { encodeStruct, readField } from '../struct.ts';
import { NDMSG, RTMSG } from '../uapi.gen.ts';
import { attribute, decodeAttributes, u32Attribute, u32Of, viewOf } from './attributes.ts';
import { ask } from './exchange.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const AF_BRIDGE = 7;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_VIA = 18;
const RTN_LOCAL = 2;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_MASTER = 9;

export interface RouteAnswer {
  readonly ifindex: number;
  /** The address is this namespace's own. */
  readonly local: boolean;
  /** The packet goes to a router, not to the address itself. */
  readonly viaGateway: boolean;
}

/** Which interface a packet to `address` leaves by; undefined when there is no route. */
export function findRoute(address: Ip): RouteAnswer | undefined {
  const bytes = ipBytes(address);
  const message = encodeStruct(RTMSG, { rtm_family: familyOf(address), rtm_dst_len: bytes.length * 8 });
  const parts = [message, attribute(RTA_DST, bytes)];
  const reply = ask(RTM_GETROUTE, RTM_NEWROUTE, parts, `find the route to ${address}`);
  if (reply === undefined) return undefined;
  const attributes = decodeAttributes(reply.subarray(RTMSG.size));
  const oif = attributes.get(RTA_OIF);
  if (oif === undefined) return undefined;
  return {
    ifindex: u32Of(oif),
    local: readField(RTMSG, 'rtm_type', viewOf(reply)) === RTN_LOCAL,
    viaGateway: attributes.has(RTA_GATEWAY) || attributes.has(RTA_VIA),
  };
}

/** The link-layer address that belongs to an address on this interface; undefined when nobody has asked for it lately. */
export function findNeighbour(address: Ip, ifindex: number): Uint8Array | undefined {
  const message = encodeStruct(NDMSG, { ndm_family: familyOf(address), ndm_ifindex: ifindex });
  const parts = [message, attribute(NDA_DST, ipBytes(address))];
  const reply = ask(RTM_GETNEIGH, RTM_NEWNEIGH, parts, `find the neighbour ${address}`);
  return reply && decodeAttributes(reply.subarray(NDMSG.size)).get(NDA_LLADDR);
}

/** The interface behind which a bridge has seen a link-layer address; undefined when it has not, or not lately. */
export function findBridgePort(bridge: number, mac: Uint8Array): number | undefined {
  const message = encodeStruct(NDMSG, { ndm_family: AF_BRIDGE });
  const parts = [message, attribute(NDA_LLADDR, mac), u32Attribute(NDA_MASTER, bridge)];
  const reply = ask(RTM_GETNEIGH, RTM_NEWNEIGH, parts, `find the port of bridge ${bridge}`);
  return reply && readField(NDMSG, 'ndm_ifindex', viewOf(reply));
}

function familyOf(address: Ip): number {
  return ipFamily(address) === 4 ? AF_INET : AF_INET6;
}
