/** The interfaces of the namespace of the calling thread, with their addresses. */
import { namespaceAddresses } from '../../../sys/netlink/addresses.ts';
import { DumpSocket } from '../../../sys/netlink/exchange.ts';
import { listLinks } from '../../../sys/netlink/links.ts';
import type { InterfaceFact } from '../node-facts.ts';

/** Throws SYS_CALL_FAILED. */
export function readInterfaces(): readonly InterfaceFact[] {
  const socket = new DumpSocket();
  try {
    const { addresses } = namespaceAddresses(socket);
    return listLinks().map(({ ifindex, name, kind, up }) => ({
      ifindex,
      name,
      kind,
      up,
      addresses: addresses.filter((address) => address.ifindex === ifindex).map(({ ip }) => ip),
    }));
  } finally {
    socket.close();
  }
}
