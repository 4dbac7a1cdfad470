/** Where the running kernel has what the drop program reads of its structs. */
import { encodeDropLayout } from '../kernel/abi.gen.ts';
import type { KernelTypes } from './kernel-types.ts';

/** As in the kernel (NETDEV_ALIGN): before Linux 6.10 a driver's own words begin behind the device, aligned to so much. */
const PRIVATE_ALIGNMENT = 32;
/** The packet, who dropped it, why; then the socket that did (Linux 6.10). */
const SOCKET_PARAMETER = 4;

/** Throws and names the member that the kernel does not have. `ownInum`: the inode of the namespace of our hooks. */
export function encodeLayout(types: KernelTypes, parameters: number, ownInum: number): Uint8Array {
  const at = (struct: string, member: string): number => {
    const offset = types.offsetOf(struct, member);
    if (offset === undefined) throw new Error(`struct ${struct} has no ${member}`);
    return offset;
  };
  const privateAt = (): number => {
    const size = types.sizeOf('net_device') ?? 0;
    const aligned = (size + PRIVATE_ALIGNMENT - 1) & -PRIVATE_ALIGNMENT;
    return types.offsetOf('net_device', 'priv') ?? aligned;
  };
  return encodeDropLayout({
    skbHead: at('sk_buff', 'head'),
    skbTail: at('sk_buff', 'tail'),
    skbNetworkHeader: at('sk_buff', 'network_header'),
    skbProtocol: at('sk_buff', 'protocol'),
    skbDev: at('sk_buff', 'dev'),
    skbSk: at('sk_buff', 'sk'),
    sockNet: at('sock', '__sk_common.skc_net'),
    devNet: at('net_device', 'nd_net'),
    devIfindex: at('net_device', 'ifindex'),
    devList: at('net_device', 'dev_list'),
    devLinkOps: at('net_device', 'rtnl_link_ops'),
    devPrivate: privateAt(),
    netDevices: at('net', 'dev_base_head'),
    netInum: at('net', 'ns.inum'),
    hasSocket: parameters >= SOCKET_PARAMETER ? 1 : 0,
    ownInum,
  });
}
