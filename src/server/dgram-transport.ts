/**
 * UDP by `node:dgram`, for where no packet thread is to be had. It cannot say which address a packet was sent to, nor
 * choose the one its reply leaves from; so a wildcard is opened as one socket for each address the machine has, plus the
 * wildcard itself for addresses that come later. The kernel gives a packet to the most specific socket. Without this, a
 * query to 10.96.0.10 on an interface that also has 10.0.0.5 would be answered from 10.0.0.5, and be ignored.
 */
import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { type Ip, ipFamily, parseIp } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import { BatchedSocket, type BatchReader } from './batched-socket.ts';
import { listenError } from './listen-error.ts';
import {
  isWildcard,
  type OnArrival,
  RECEIVE_BUFFER_BYTES,
  type Shortcut,
  type UdpSocket,
  type UdpSpec,
  type UdpTransport,
} from './udp.ts';

/** A node in kube-proxy's IPVS mode has every service address on one interface: those beyond go by the wildcard. */
const MAX_OWN_ADDRESSES = 64;

export interface DgramOptions {
  /** Default `RECEIVE_BUFFER_BYTES`. */
  readonly receiveBufferBytes?: number;
  /** Asked before the chain, about packets of sockets that have a listener's number. */
  readonly shortcut?: Shortcut;
}

export const dgramTransport: UdpTransport = createDgramTransport();

export function createDgramTransport(options: DgramOptions = {}): UdpTransport {
  return { open: (spec, onArrival) => openSockets(spec, onArrival, options) };
}

async function openSockets(spec: UdpSpec, onArrival: OnArrival, options: DgramOptions): Promise<UdpSocket> {
  const { local, except = [], listener, inherited } = spec;
  const { shortcut } = options;
  const reader: BatchReader = {
    onArrival,
    ...(shortcut && listener !== undefined && { shortcut, listener }),
  };
  const open = (at: UdpSpec['local']) => {
    const [first, ...more] = inherited?.take('udp', at) ?? [];
    return Promise.all([first, ...more].map((fd) => openSocket({ local: at, fd }, reader, options)));
  };
  const main = await open(local);
  const port = main[0]?.local.port ?? local.port;
  if (!isWildcard(local.address)) return joined({ ...local, port }, main);
  const own = ownAddresses(networkInterfaces()).filter(
    (address) => ipFamily(address) === ipFamily(local.address) && !except.includes(address),
  );
  const opened = await Promise.allSettled(
    own.slice(0, MAX_OWN_ADDRESSES).map((address) => open({ address, port })),
  );
  // An address that vanished meanwhile, or is still being probed for duplicates: the wildcard serves it.
  const others = opened.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  return joined({ ...local, port }, [...main, ...others]);
}

function joined(local: UdpSpec['local'], sockets: readonly UdpSocket[]): UdpSocket {
  return { local, close: async () => void (await Promise.all(sockets.map((socket) => socket.close()))) };
}

/** Without link-local ones, which need their interface's name to be bound. */
export function ownAddresses(interfaces: ReturnType<typeof networkInterfaces>): Ip[] {
  const found = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const addresses = found
    .filter((info) => !/^fe[89ab]/i.test(info.address))
    .map((info) => parseIp(info.address))
    .filter((address) => address !== undefined);
  return [...new Set(addresses)];
}

/** With `fd`, one that is bound to `local` already. */
function openSocket(
  { local, fd }: { readonly local: UdpSpec['local']; readonly fd: number | undefined },
  reader: BatchReader,
  { receiveBufferBytes = RECEIVE_BUFFER_BYTES }: DgramOptions,
): Promise<UdpSocket> {
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
  const where = fd === undefined ? { address: local.address, port: local.port } : { fd };
  socket.bind({ ...where, exclusive: true }, () => {
    socket.off('error', refused);
    enlargeReceiveBuffer(socket, receiveBufferBytes);
    resolve(new BatchedSocket(socket, { address: local.address, port: socket.address().port }, reader));
  });
  return promise;
}

function enlargeReceiveBuffer(socket: Socket, bytes: number): void {
  try {
    socket.setRecvBufferSize(bytes);
  } catch {
    // A system that refuses leaves its default, which serves smaller bursts.
  }
}
