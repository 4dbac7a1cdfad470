/**
 * The seam between DNS and datagrams. A transport may answer packets by itself (from a shared cache, in its own thread)
 * and hands over only those it could not answer; `node:dgram` hands over all. Replies may come at any time, in any
 * order, or never. Nothing a peer sends or refuses may surface as an error of the process.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type IpFamily, ipFamily, parseIp } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import type { SocketAddress } from './handler.ts';
import { listenError } from './listen-error.ts';
import type { Arrival } from './serve-query.ts';

/** Called for each packet the transport did not answer; `respond` may be called once, and after `close` does nothing. */
export type OnArrival = (arrival: Arrival, respond: (bytes: Uint8Array) => void) => void;

export interface UdpSocket {
  /** With the port the system gave. */
  readonly local: SocketAddress;
  /** Stops receiving; resolves when the descriptor is closed. */
  close(): Promise<void>;
}

export interface UdpTransport {
  /** Port 0 lets the system choose. Rejects with a `SERVER_…` error. */
  open(local: SocketAddress, onArrival: OnArrival): Promise<UdpSocket>;
}

/** Asked for; the system caps it at `net.core.rmem_max`. A larger queue only makes answers late (userspace-udp 9). */
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** Replies waiting in this process because the interface is full; beyond it they are dropped, as the kernel would. */
const MAX_SEND_QUEUE_BYTES = 4 << 20;

export const dgramTransport: UdpTransport = { open: openDgram };

function openDgram(local: SocketAddress, onArrival: OnArrival): Promise<UdpSocket> {
  const family = ipFamily(local.address);
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    reusePort: true,
    // Every address here is one already: asking the resolver for it would cost a thread per packet.
    lookup: (host, _options, done) => done(null, host, family),
  });
  const { promise, resolve, reject } = Promise.withResolvers<UdpSocket>();
  const refused = (error: Error) => {
    socket.close();
    reject(listenError(`udp ${formatAddressPort(local.address, local.port)}`, error));
  };
  socket.once('error', refused);
  socket.bind({ address: local.address, port: local.port, exclusive: true }, () => {
    socket.off('error', refused);
    resolve(receive(socket, { address: local.address, port: socket.address().port }, onArrival));
  });
  return promise;
}

function receive(socket: Socket, local: SocketAddress, onArrival: OnArrival): UdpSocket {
  let closing: Promise<void> | undefined;
  const send = (reply: Uint8Array, peer: RemoteInfo) => {
    if (closing !== undefined || socket.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) return;
    socket.send(reply, peer.port, peer.address, ignoreLostReply);
  };
  const close = () => {
    closing ??= new Promise((resolve) => socket.close(() => resolve()));
    return closing;
  };
  socket.on('error', ignoreLostReply);
  enlargeReceiveBuffer(socket);
  socket.on('message', (bytes, peer) => {
    const client = clientAddress(peer);
    if (client === undefined) return;
    const receivedAtMs = performance.now();
    onArrival({ bytes, client, local, transport: 'udp', receivedAtMs }, (reply) => send(reply, peer));
  });
  return { local, close };
}

/** Unreachable or vanished clients, filtered ports: nothing is left to do for such a reply, and the socket lives on. */
function ignoreLostReply(): void {
  return;
}

/** Port 0 cannot be answered, and Node throws when asked to. A link-local zone is kept in `peer` for the way back. */
function clientAddress(peer: RemoteInfo): SocketAddress | undefined {
  if (peer.port === 0) return undefined;
  const zone = peer.address.indexOf('%');
  const address = parseIp(zone < 0 ? peer.address : peer.address.slice(0, zone));
  return address === undefined ? undefined : { address, port: peer.port };
}

function enlargeReceiveBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // A system that refuses leaves its default, which serves smaller bursts.
  }
}

/** The wildcard address of a family. */
export function wildcardOf(family: IpFamily): SocketAddress['address'] {
  const address = parseIp(family === 4 ? '0.0.0.0' : '::');
  if (address === undefined) throw new Error('Cannot name the wildcard address');
  return address;
}
