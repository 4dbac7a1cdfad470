/** Packet threads where they can be had, `node:dgram` where not; an operator reads which, and why, in one line. */
import { errorText } from '../fault/app-error.ts';
import { testDatagrams } from '../sys/datagram-self-test.ts';
import { dismissEarlyWorkers } from './early-worker.ts';
import { MainThreadService } from './main-thread-service.ts';
import { PacketTransport, type PacketTransportOptions } from './packet-transport.ts';
import type { UdpService } from './udp-service.ts';

/** `threads`: 0 means that the main thread reads. */
export function openUdpService(options: PacketTransportOptions): UdpService {
  if (options.threads === 0) return new MainThreadService(options);
  try {
    testDatagrams();
    return new PacketTransport(options);
  } catch (error) {
    dismissEarlyWorkers();
    options.log.warning(`No packet threads, the main thread reads UDP itself: ${errorText(error)}`);
    return new MainThreadService(options);
  }
}
