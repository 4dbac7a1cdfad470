/** Packet threads where they can be had, `node:dgram` where not; an operator reads which, and why, in one line. */
import { errorText } from '../fault/app-error.ts';
import { testDatagrams } from '../sys/datagram-self-test.ts';
import { PacketTransport, type PacketTransportOptions } from './packet-transport.ts';

/** Undefined where libc cannot be called, or where a packet to itself does not come back as it went. */
export function openPacketTransport(options: PacketTransportOptions): PacketTransport | undefined {
  try {
    testDatagrams();
    return new PacketTransport(options);
  } catch (error) {
    options.log.warning(`No packet threads, the main thread reads UDP itself: ${errorText(error)}`);
    return undefined;
  }
}
