/** What `conntrack -F` does, which this machine need not have: every tracked connection of a namespace is forgotten. */
import { openLibc } from '../../../../src/sys/libc.ts';
import { insideNamespace, listNamespaces } from '../../../../src/sys/netns/namespaces.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE: without a tuple it is all of them. */
const DELETE = (1 << 8) | 2;
const NLM_F_REQUEST = 1;
/** struct nlmsghdr and struct nfgenmsg. */
const BYTES = 20;

export function forgetConnections(path: string): void {
  const namespace = listNamespaces().find((one) => one.path === path);
  if (namespace === undefined) throw new Error(`There is no ${path}`);
  const message = new DataView(new ArrayBuffer(BYTES));
  message.setUint32(0, BYTES, true);
  message.setUint16(4, DELETE, true);
  message.setUint16(6, NLM_F_REQUEST, true);
  insideNamespace(namespace, () => {
    const libc = openLibc();
    const fd = libc.socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
    const sent = libc.send(fd, new Uint8Array(message.buffer));
    libc.close(fd);
    if (sent !== BYTES) throw new Error(`The kernel did not take it: ${sent}`);
  });
}
