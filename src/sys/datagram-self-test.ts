/**
 * Whether packets can be read and written by bare system calls here: a packet to itself, there and back by the same
 * header. It proves the layouts in `datagram-batch.ts` on the machine at hand before anyone relies on them.
 */
import { parseIp } from '../net/ip.ts';
import { DatagramBatch, hasKnownLayout, MAX_DATAGRAM_BYTES, MSG_WAITFORONE } from './datagram-batch.ts';
import { boundAddress, closeDescriptor, openDatagramSocket } from './datagram-socket.ts';
import { errnoName } from './errors.ts';
import { decodeSockaddr, encodeSockaddr, forgetInterface, packetInfoAddress } from './sockaddr.ts';

const TIMEOUT_MS = 200;
const QUERY = Uint8Array.from({ length: 33 }, (_, i) => i + 1);

/** Throws what it found; `SYS_LIBC_UNAVAILABLE` where nothing can be called at all. */
export function testDatagrams(): void {
  if (!hasKnownLayout())
    throw new Error(`the layout of structs is not known: ${process.platform}/${process.arch}`);
  const loopback = parseIp('127.0.0.1');
  if (loopback === undefined) throw new Error('127.0.0.1 is no address');
  const fd = openDatagramSocket({
    family: 4,
    address: encodeSockaddr(loopback, 0),
    receiveTimeoutMs: TIMEOUT_MS,
    receiveBufferBytes: MAX_DATAGRAM_BYTES,
    packetInfo: true,
  });
  try {
    const own = boundAddress(fd, 16);
    const batch = new DatagramBatch(2);
    batch.add(own, new Uint8Array(), QUERY);
    if (batch.send(fd) > 0) throw new Error('the loopback took no packet');
    expectQuery(batch, fd, own);
    // Back by the same header, from the address that was asked.
    batch.bytes[batch.packetAt(0)] = 0xff;
    forgetInterface(batch.bytes, batch.controlAt(0), batch.controlLength(0));
    batch.reply(0, 2);
    if (batch.send(fd) > 0) throw new Error('the loopback took no reply');
    const count = batch.receive(fd, MSG_WAITFORONE);
    if (count !== 1 || batch.packetLength(0) !== 2 || batch.bytes[batch.packetAt(0)] !== 0xff) {
      throw new Error(`a reply came back otherwise than it went: ${count < 0 ? errnoName(count) : count}`);
    }
  } finally {
    closeDescriptor(fd);
  }
}

function expectQuery(batch: DatagramBatch, fd: number, own: Uint8Array): void {
  const count = batch.receive(fd, MSG_WAITFORONE);
  if (count !== 1) throw new Error(`no packet came back: ${count < 0 ? errnoName(count) : count}`);
  const at = batch.packetAt(0);
  const packet = Buffer.from(batch.bytes.subarray(at, at + batch.packetLength(0)));
  const name = batch.bytes.slice(batch.nameAt(0), batch.nameAt(0) + batch.nameLength(0));
  const control = batch.bytes.slice(batch.controlAt(0), batch.controlAt(0) + batch.controlLength(0));
  const from = decodeSockaddr(name);
  const to = decodeSockaddr(own);
  const isSame = packet.equals(QUERY) && from?.port === to?.port && from?.address === to?.address;
  if (!isSame || packetInfoAddress(control) !== to?.address) {
    throw new Error('a packet came back otherwise than it went');
  }
}
