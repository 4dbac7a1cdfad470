/** Network interfaces of the namespace of the calling thread: what they are and where their other ends live. */
import { encodeStruct, readField } from '../struct.ts';
import { IFINFOMSG } from '../uapi.gen.ts';
import { decodeAttributes, textOf, u32Of, viewOf } from './attributes.ts';
import { ask, dump } from './exchange.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_LINK_NETNSID = 37;
const IFF_UP = 1;
const AF_UNSPEC = 0;

export interface LinkAnswer {
  readonly ifindex: number;
  readonly name: string;
  /** `veth`, `bridge`; empty for physical and loopback interfaces. */
  readonly kind: string;
  readonly mac: Uint8Array;
  readonly up: boolean;
  /** Of a veth: its other end, as that end's namespace numbers it. 0 when there is none. */
  readonly peerIfindex: number;
  /** The bridge or bond it belongs to; 0 when to none. */
  readonly master: number;
  /** The id by which this namespace knows the one that the peer lives in; absent when it is the same namespace. */
  readonly peerNetnsId?: number;
}

/** Undefined when there is no such interface (any more). */
export function findLink(ifindex: number): LinkAnswer | undefined {
  const message = encodeStruct(IFINFOMSG, { ifi_index: ifindex });
  const reply = ask(RTM_GETLINK, RTM_NEWLINK, [message], `read interface ${ifindex}`);
  return reply && decodeLink(reply);
}

/**
 * All of them. A namespace that a veth leads to and that had no id gets one by being asked for: the kernel gives it out
 * while it writes the answer.
 */
export function listLinks(): readonly LinkAnswer[] {
  return dump(RTM_GETLINK, [encodeStruct(IFINFOMSG, {})], 'list interfaces').flatMap((payload) => {
    const link = decodeLink(payload);
    return link === undefined ? [] : [link];
  });
}

/** Of RTM_NEWLINK and RTM_DELLINK; undefined for what a bridge says of its ports, and what is cut off. */
export function decodeLink(payload: Uint8Array): LinkAnswer | undefined {
  if (payload.length < IFINFOMSG.size) return undefined;
  const view = viewOf(payload);
  if (readField(IFINFOMSG, 'ifi_family', view) !== AF_UNSPEC) return undefined;
  const attributes = decodeAttributes(payload.subarray(IFINFOMSG.size));
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array());
  const peer = attributes.get(IFLA_LINK_NETNSID);
  return {
    ifindex: readField(IFINFOMSG, 'ifi_index', view),
    name: textOf(attributes.get(IFLA_IFNAME)),
    kind: textOf(info.get(IFLA_INFO_KIND)),
    mac: attributes.get(IFLA_ADDRESS) ?? new Uint8Array(),
    up: (readField(IFINFOMSG, 'ifi_flags', view) & IFF_UP) !== 0,
    peerIfindex: u32Of(attributes.get(IFLA_LINK) ?? new Uint8Array()),
    master: u32Of(attributes.get(IFLA_MASTER) ?? new Uint8Array()),
    ...(peer === undefined || (u32Of(peer) | 0) < 0 ? {} : { peerNetnsId: u32Of(peer) }),
  };
}
