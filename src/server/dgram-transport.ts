/**
 * UDP by `node:dgram`, for where no packet thread is to be had. It cannot say which address a packet was sent to, nor
 * choose the one its reply leaves from; so a wildcard is opened as one socket for each address the machine has, plus the
 * wildcard itself for addresses that come later. The kernel gives a packet to the most specific socket. Without this, a
 * query to 10.96.0.10 on an interface that also has 10.0.0.5 would be answered from 10.0.0.5, and be ignored.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import { type Ip, ipFamily, parseIp } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import type { SocketAddress } from './handler.ts';
import { listenError } from './listen-error.ts';
import { isWildcard, type OnArrival, type UdpSocket, type UdpSpec, type UdpTransport } from './udp.ts';

/** Asked for; the system caps it at `net.core.rmem_max`. A larger queue only makes answers late (userspace-udp 9). */
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** Replies waiting in this process because the interface is full; beyond it they are dropped, as the kernel would. */
const MAX_SEND_QUEUE_BYTES = 4 << 20;
/** A node in kube-proxy's IPVS mode has every service address on one interface: those beyond go by the wildcard. */
const MAX_OWN_ADDRESSES = 64;

export const dgramTransport: UdpTransport = {
  async open({ local, except = [] }, onArrival) {
    const main = await openSocket(local, onArrival);
    if (!isWildcard(local.address)) return main;
    const { port } = main.local;
    const own = ownAddresses(networkInterfaces()).filter(
      (address) => ipFamily(address) === ipFamily(local.address) && !except.includes(address),
    );
    const opened = await Promise.allSettled(
      own.slice(0, MAX_OWN_ADDRESSES).map((address) => openSocket({ address, port }, onArrival)),
    );
    // An address that vanished meanwhile, or is still being probed for duplicates: the wildcard serves it.
    const sockets = [
      main,
      ...opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
    ];
    return {
      local: main.local,
      close: async () => void (await Promise.all(sockets.map((socket) => socket.close()))),
    };
  },
};

/** Without link-local ones, which need their interface's name to be bound. */
export function ownAddresses(interfaces: ReturnType<typeof networkInterfaces>): Ip[] {
  const found = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const addresses = found
    .filter((info) => !/^fe[89ab]/i.test(info.address))
    .map((info) => parseIp(info.address))
    .filter((address) => address !== undefined);
  return [...new Set(addresses)];
}

function openSocket(local: UdpSpec['local'], onArrival: OnArrival): Promise<UdpSocket> {
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
    // Without a callback: it would cost a turn of the loop for each reply. Errors are then nobody's, as they should be.
    socket.send(reply, peer.port, peer.address);
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
