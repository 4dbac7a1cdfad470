/** Addresses of a whole network namespace: our own, or another one by the id that ours has for it (Linux 4.20). */
import { type Ip, ipFromBytes } from '../../net/ip.ts';
import { encodeStruct, readField } from '../struct.ts';
import { IFADDRMSG } from '../uapi.gen.ts';
import { decodeAttributes, u32Attribute, u32Of, viewOf } from './attributes.ts';
import type { DumpSocket } from './exchange.ts';

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_TARGET_NETNSID = 10;
const RT_SCOPE_LINK = 253;
const AF_INET = 2;
const AF_INET6 = 10;

export interface NamespaceAddress {
  readonly ip: Ip;
  /** As that namespace numbers it. */
  readonly ifindex: number;
  /** fe80::/10 and the like: it means nothing without its interface. */
  readonly linkLocal: boolean;
}

export interface NamespaceAddresses {
  readonly addresses: readonly NamespaceAddress[];
  /** A negated errno: EINVAL when the namespace is gone, EPERM when it is not ours to ask. 0 when all went well. */
  readonly error: number;
}

/** Of the namespace with this id, or of the socket's own. */
export function namespaceAddresses(socket: DumpSocket, netnsId?: number): NamespaceAddresses {
  const target = netnsId === undefined ? [] : [u32Attribute(IFA_TARGET_NETNSID, netnsId)];
  const { payloads, error } = socket.dump(
    RTM_GETADDR,
    [encodeStruct(IFADDRMSG, {}), ...target],
    'list addresses',
  );
  const addresses: NamespaceAddress[] = [];
  for (const payload of payloads) {
    const family = payload[0];
    if (family !== AF_INET && family !== AF_INET6) continue;
    const attributes = decodeAttributes(payload.subarray(IFADDRMSG.size));
    const told = attributes.get(IFA_TARGET_NETNSID);
    // A kernel that did not understand the question answers with addresses of our own.
    if (netnsId !== undefined && (told === undefined || u32Of(told) !== netnsId))
      return { addresses: [], error: -EOPNOTSUPP };
    const address = decodeAddress(payload, attributes);
    if (address !== undefined) addresses.push(address);
  }
  return { addresses, error };
}

const EOPNOTSUPP = 95;

function decodeAddress(
  payload: Uint8Array,
  attributes: ReadonlyMap<number, Uint8Array>,
): NamespaceAddress | undefined {
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes?.length !== 4 && bytes?.length !== 16) return undefined;
  const view = viewOf(payload);
  const linkLocal =
    readField(IFADDRMSG, 'ifa_family', view) === AF_INET6 &&
    readField(IFADDRMSG, 'ifa_scope', view) === RT_SCOPE_LINK;
  return { ip: ipFromBytes(bytes), ifindex: readField(IFADDRMSG, 'ifa_index', view), linkLocal };
}
