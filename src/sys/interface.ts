/**
 * Makes, changes and removes network interfaces and their addresses in the namespace of the calling thread, by
 * rtnetlink. Refusals of the kernel are values, the error's name: what can be done about them depends on the caller.
 */
import { type Ip, ipBytes, ipFamily, ipFromBytes } from '../net/ip.ts';
import { attribute, decodeAttributes, textAttribute, textOf, viewOf } from './netlink/attributes.ts';
import { ask, type ChangeResult, change, dump } from './netlink/exchange.ts';
import { encodeStruct, readField } from './struct.ts';
import { IFADDRMSG, IFINFOMSG } from './uapi.gen.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_INFO_KIND = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
/** No duplicate address detection: the address is nobody else's business and wanted at once. */
const IFA_F_NODAD = 2;
const IFF_UP = 1;

export interface InterfaceState {
  readonly ifindex: number;
  readonly name: string;
  /** `dummy`, `bridge`; empty for loopback and physical interfaces. */
  readonly kind: string;
  /** A text for people that anyone may attach. */
  readonly alias: string;
  readonly up: boolean;
}

export interface InterfaceAddress {
  readonly ip: Ip;
  readonly prefixLength: number;
  /** IPv4 only: usually the interface's name. */
  readonly label?: string;
}

/** Undefined when there is none of that name. */
export function findInterface(name: string): InterfaceState | undefined {
  const parts = [encodeStruct(IFINFOMSG, {}), textAttribute(IFLA_IFNAME, name)];
  const reply = ask(RTM_GETLINK, RTM_NEWLINK, parts, `find interface ${name}`);
  if (reply === undefined) return undefined;
  const attributes = decodeAttributes(reply.subarray(IFINFOMSG.size));
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array());
  const view = viewOf(reply);
  return {
    ifindex: readField(IFINFOMSG, 'ifi_index', view),
    name,
    kind: textOf(info.get(IFLA_INFO_KIND)),
    alias: textOf(attributes.get(IFLA_IFALIAS)),
    up: (readField(IFINFOMSG, 'ifi_flags', view) & IFF_UP) !== 0,
  };
}

/** Of a kind that needs nothing but a name. `EOPNOTSUPP` when the kernel has no such kind. */
export function makeInterface(name: string, kind: string): ChangeResult {
  const info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, new TextEncoder().encode(kind)));
  const parts = [encodeStruct(IFINFOMSG, {}), textAttribute(IFLA_IFNAME, name), info];
  return change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, parts);
}

export function setInterfaceAlias(ifindex: number, alias: string): ChangeResult {
  const parts = [encodeStruct(IFINFOMSG, { ifi_index: ifindex }), attribute(IFLA_IFALIAS, utf8(alias))];
  return change(RTM_NEWLINK, 0, parts);
}

export function setInterfaceUp(ifindex: number): ChangeResult {
  const message = encodeStruct(IFINFOMSG, { ifi_index: ifindex, ifi_flags: IFF_UP, ifi_change: IFF_UP });
  return change(RTM_NEWLINK, 0, [message]);
}

/** Else an interface that is up gets a link-local address by itself. */
export function suppressLinkLocal(ifindex: number): ChangeResult {
  const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE));
  const spec = attribute(IFLA_AF_SPEC, attribute(AF_INET6, mode));
  return change(RTM_NEWLINK, 0, [encodeStruct(IFINFOMSG, { ifi_index: ifindex }), spec]);
}

export function removeInterface(ifindex: number): ChangeResult {
  return change(RTM_DELLINK, 0, [encodeStruct(IFINFOMSG, { ifi_index: ifindex })]);
}

/** A host address: /32 or /128. `EEXIST` when it is there. A label must start with the interface's name; IPv4 only. */
export function addAddress(ifindex: number, ip: Ip, label: string | undefined): ChangeResult {
  const parts = addressParts(ifindex, { ip, prefixLength: ipBytes(ip).length * 8 });
  if (label !== undefined && ipFamily(ip) === 4) parts.push(textAttribute(IFA_LABEL, label));
  return change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, parts);
}

/** `EADDRNOTAVAIL` when it is not there. */
export function removeAddress(ifindex: number, address: InterfaceAddress): ChangeResult {
  return change(RTM_DELADDR, 0, addressParts(ifindex, address));
}

function addressParts(ifindex: number, { ip, prefixLength }: InterfaceAddress): Uint8Array[] {
  const isIpv4 = ipFamily(ip) === 4;
  const message = encodeStruct(IFADDRMSG, {
    ifa_family: isIpv4 ? AF_INET : AF_INET6,
    ifa_prefixlen: prefixLength,
    ifa_flags: isIpv4 ? 0 : IFA_F_NODAD,
    ifa_index: ifindex,
  });
  return [message, attribute(IFA_LOCAL, ipBytes(ip)), attribute(IFA_ADDRESS, ipBytes(ip))];
}

/** Of both families. Throws SYS_CALL_FAILED. */
export function interfaceAddresses(ifindex: number): readonly InterfaceAddress[] {
  const found: InterfaceAddress[] = [];
  for (const payload of dump(RTM_GETADDR, [encodeStruct(IFADDRMSG, {})], 'list addresses')) {
    const view = viewOf(payload);
    if (readField(IFADDRMSG, 'ifa_index', view) !== ifindex) continue;
    const attributes = decodeAttributes(payload.subarray(IFADDRMSG.size));
    const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
    if (bytes === undefined) continue;
    const label = textOf(attributes.get(IFA_LABEL));
    found.push({
      ip: ipFromBytes(bytes),
      prefixLength: readField(IFADDRMSG, 'ifa_prefixlen', view),
      ...(label === '' ? {} : { label }),
    });
  }
  return found;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
