/**
 * Makes, changes and removes network interfaces and their addresses in the namespace of the calling thread, by
 * rtnetlink. Refusals of the kernel are values, the error's name: what can be done about them depends on the caller.
 */
import { type Ip, ipBytes, ipFamily, ipFromBytes } from '../net/ip.ts';
import { checkCall, errnoName } from './errors.ts';
import { openLibc } from './libc.ts';
import { ask, attribute, decodeAttributes } from './netlink.ts';
import { encodeStruct, readField } from './struct.ts';
import { IFADDRMSG, IFINFOMSG, NLMSGERR, NLMSGHDR } from './uapi.gen.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
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
/** The kernel's messages of a dump are at most this long. */
const REPLY_BYTES = 32768;

/** `OK`, or the name of the error: `EOPNOTSUPP`. */
export type ChangeResult = string;

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
  const parts = [encodeStruct(IFINFOMSG, {}), attribute(IFLA_IFNAME, zeroTerminated(name))];
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
  const parts = [encodeStruct(IFINFOMSG, {}), attribute(IFLA_IFNAME, zeroTerminated(name)), info];
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
  if (label !== undefined && ipFamily(ip) === 4) parts.push(attribute(IFA_LABEL, zeroTerminated(label)));
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
  for (const payload of dump(RTM_GETADDR, encodeStruct(IFADDRMSG, {}))) {
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

function change(type: number, flags: number, parts: readonly Uint8Array[]): ChangeResult {
  return exchange(type, NLM_F_ACK | flags, parts, (bytes) => {
    const error = readField(NLMSGERR, 'error', viewOf(bytes.subarray(NLMSGHDR.size))) | 0;
    return errnoName(error);
  });
}

/** Sends a request and hands its first datagram, and then each further one, to `read` until that gives something. */
function exchange<T>(
  type: number,
  flags: number,
  parts: readonly Uint8Array[],
  read: (datagram: Uint8Array) => T | undefined,
): T {
  const libc = openLibc();
  const what = 'change a network interface';
  const length = parts.reduce<number>((sum, part) => sum + part.length, NLMSGHDR.size);
  const header = encodeStruct(NLMSGHDR, {
    nlmsg_len: length,
    nlmsg_type: type,
    nlmsg_flags: NLM_F_REQUEST | flags,
  });
  const fd = checkCall(what, libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, 0));
  try {
    checkCall(what, libc.send(fd, Buffer.concat([header, ...parts])));
    for (;;) {
      const bytes = new Uint8Array(REPLY_BYTES);
      const got = checkCall(what, libc.recv(fd, bytes, 0));
      const result = read(bytes.subarray(0, got));
      if (result !== undefined) return result;
    }
  } finally {
    libc.close(fd);
  }
}

/** The payloads of all messages of a reply in several parts. */
function dump(type: number, message: Uint8Array): readonly Uint8Array[] {
  const payloads: Uint8Array[] = [];
  return exchange(type, NLM_F_DUMP, [message], (datagram) => {
    for (let at = 0; at + NLMSGHDR.size <= datagram.length; ) {
      const view = viewOf(datagram.subarray(at));
      const length = readField(NLMSGHDR, 'nlmsg_len', view);
      const kind = readField(NLMSGHDR, 'nlmsg_type', view);
      if (kind === NLMSG_DONE || length < NLMSGHDR.size) return payloads;
      const payload = datagram.slice(at + NLMSGHDR.size, at + length);
      if (kind === NLMSG_ERROR)
        checkCall('list addresses', readField(NLMSGERR, 'error', viewOf(payload)) | 0);
      payloads.push(payload);
      at += (length + 3) & ~3;
    }
    return undefined;
  });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function zeroTerminated(text: string): Uint8Array {
  return utf8(`${text}\0`);
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array()).replace(/\0.*$/s, '');
}
