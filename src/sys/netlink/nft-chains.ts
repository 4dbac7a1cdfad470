/**
 * Names of the chains in nftables, of all families: what iptables in its newer form makes is among them. Asked of the
 * kernel itself, so that nobody has to have a tool for it.
 */
import { checkCall, errnoName } from '../errors.ts';
import { decodeAttributes, textOf } from './attributes.ts';
import { DumpSocket, NETLINK_NETFILTER } from './exchange.ts';

/** NFNL_SUBSYS_NFTABLES and NFT_MSG_GETCHAIN of linux/netfilter. */
const GET_CHAIN = (10 << 8) | 4;
const NFTA_CHAIN_NAME = 3;
/** `struct nfgenmsg`: family (0: all), version, resource. */
const HEADER = new Uint8Array(4);
/** The kernel has no nftables. */
const NO_NFTABLES: readonly string[] = ['EINVAL', 'EOPNOTSUPP', 'ENOENT'];

/** Of the namespace of the calling thread; none where the kernel has no nftables. Throws SYS_CALL_FAILED. */
export function nftChainNames(): readonly string[] {
  const what = 'list the chains of nftables';
  const socket = new DumpSocket(NETLINK_NETFILTER);
  try {
    const { payloads, error } = socket.dump(GET_CHAIN, [HEADER], what);
    if (NO_NFTABLES.includes(errnoName(error))) return [];
    checkCall(what, error);
    return payloads.map((payload) =>
      textOf(decodeAttributes(payload.subarray(HEADER.length)).get(NFTA_CHAIN_NAME)),
    );
  } finally {
    socket.close();
  }
}
