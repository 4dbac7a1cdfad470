/**
 * UDP read by threads of their own, which answer from the answer cache what they can; the rest comes to the main thread,
 * whose replies leave by the same descriptors. It owns every descriptor: each is closed once, and only when no thread
 * reads it any more. Each thread has its own socket on every address, and the kernel deals packets out among them. Where
 * libc cannot be called this cannot be made; `open-udp-service.ts` knows what to do then.
 */
import { getPriority } from 'node:os';
import type { BeatRow } from '../heartbeat/beat-map.ts';
import { type Ip, ipFamily } from '../net/ip.ts';
import { formatAddressPort } from '../net/port.ts';
import type { SocketAddress } from '../server/handler.ts';
import { listenError } from '../server/listen-error.ts';
import type { Arrival } from '../server/serve-query.ts';
import { isWildcard, type OnArrival, type UdpSocket, type UdpSpec } from '../server/udp.ts';
import {
  adoptDatagramSocket,
  boundAddress,
  closeDescriptor,
  type DatagramSocketSpec,
  openDatagramSocket,
  stopTaking,
} from '../sys/datagram-socket.ts';
import {
  decodeSockaddr,
  encodeSockaddr,
  forgetInterface,
  packetInfoAddress,
  sockaddrBytes,
} from '../sys/sockaddr.ts';
import { DEAF_MS, PacketThread, type PacketThreadOptions } from './packet-thread.ts';
import { type Addressed, ReplySender } from './reply-sender.ts';
import type { RingRecord } from './ring-record.ts';
import { ANSWERED, LOST_LOG_ENTRIES, OVERFLOWS, UNSENT } from './shared-state.ts';
import { NO_LISTENER, type ThreadSocket } from './thread-messages.ts';
import type { ShortcutAnswer, UdpCounts, UdpService } from './udp-service.ts';

/** Nobody listens there: where a socket is pointed that shall take nothing any more. */
const DISCARD_PORT = 9;
const LOOPBACK: Readonly<Record<4 | 6, Ip>> = { 4: '127.0.0.1' as Ip, 6: '::1' as Ip };

export interface PacketTransportOptions
  extends Pick<PacketThreadOptions, 'log' | 'clock' | 'answers' | 'onRestart'> {
  /** At least 1; more where an address wants more sockets. */
  readonly threads: number;
  readonly receiveBufferBytes: number;
  /** Only of listeners named by `setLogged`. */
  readonly onAnswer?: (answer: ShortcutAnswer) => void;
}

/** One address: a descriptor for each thread. */
interface OpenAddress {
  readonly local: SocketAddress;
  readonly onArrival: OnArrival;
  readonly parts: readonly (ThreadSocket & { readonly thread: PacketThread })[];
  isClosed: boolean;
}

export class PacketTransport implements UdpService {
  readonly #options: PacketTransportOptions;
  /** Grows when an address wants more sockets than any before. */
  readonly #threads: PacketThread[] = [];
  readonly #logged = new Set<number>();
  readonly #sender = new ReplySender();
  readonly #addresses = new Map<number, { readonly address: OpenAddress; readonly fd: number }>();
  /** As the process began: the main thread may lower itself afterwards. */
  readonly #priority = getPriority();
  #beats: BeatRow | undefined;
  #lastId = 0;

  /** Starts the threads: they make ready while the main thread still reads its configuration. */
  constructor(options: PacketTransportOptions) {
    this.#options = options;
    process.on('exit', this.#settle);
    this.#startThreads(options.threads);
  }

  /** A wrong Corefile or a second Ctrl-C ends the process without a word to anybody. */
  readonly #settle = (): void => {
    for (const thread of this.#threads) thread.settle();
  };

  get threads(): number {
    return this.#threads.length;
  }

  async open({ local, sockets, listener, inherited }: UdpSpec, onArrival: OnArrival): Promise<UdpSocket> {
    const threads = this.#startThreads(Math.max(sockets ?? 1, this.#options.threads));
    const fds = this.#openDescriptors(local, threads.length, inherited?.take('udp', local));
    const family = ipFamily(local.address);
    const bound = decodeSockaddr(boundAddress(fds[0] ?? -1, sockaddrBytes(family)));
    const parts = fds.flatMap((fd, i) => {
      const thread = threads[i % threads.length];
      const id = ++this.#lastId;
      return thread === undefined ? [] : [{ id, fd, family, listener: listener ?? NO_LISTENER, thread }];
    });
    const address: OpenAddress = {
      local: { address: local.address, port: bound?.port ?? local.port },
      onArrival,
      parts,
      isClosed: false,
    };
    for (const { thread, ...socket } of parts) {
      this.#addresses.set(socket.id, { address, fd: socket.fd });
      thread.open(socket);
    }
    let closing: Promise<void> | undefined;
    return {
      local: address.local,
      stopTaking: () => this.#stopTaking(address),
      letGo: () => this.#letGo(address),
      close: () => (closing ??= this.#close(address)),
    };
  }

  /** Resolves when every answer that is being given at this moment has been sent. */
  async passBatches(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.passBatch()));
  }

  async useBeats(row: BeatRow): Promise<void> {
    this.#beats = row;
    await Promise.all(this.#threads.map((thread, i) => beat(thread, row.addressOf(i))));
  }

  /** Which listeners' answers come to `onAnswer`. */
  setLogged(listener: number, isLogged: boolean): void {
    if (isLogged) this.#logged.add(listener);
    else this.#logged.delete(listener);
    for (const thread of this.#threads) thread.setLogged(listener, isLogged);
  }

  counts(): UdpCounts {
    const sum = (word: number) =>
      this.#threads.reduce((total, { state }) => total + ((state[word] ?? 0) >>> 0), 0);
    return {
      answered: sum(ANSWERED),
      overflows: sum(OVERFLOWS),
      lostLogEntries: sum(LOST_LOG_ENTRIES),
      unsent: sum(UNSENT) + this.#sender.unsent,
    };
  }

  /** Ends the threads. The sockets have been closed before. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    process.off('exit', this.#settle);
  }

  /** The first `count` of them. */
  #startThreads(count: number): readonly PacketThread[] {
    while (this.#threads.length < count) {
      const thread = new PacketThread({
        ...this.#options,
        priority: this.#priority,
        onRecord: (record) => this.#take(record),
        onTurn: () => this.#sender.flush(),
      });
      for (const listener of this.#logged) thread.setLogged(listener, true);
      void beat(thread, this.#beats?.addressOf(this.#threads.length));
      this.#threads.push(thread);
    }
    return this.#threads.slice(0, count);
  }

  /**
   * All on one port, `inherited` ones first, of which there may be more than were wanted. Throws a `SERVER_…` error and
   * leaves none open.
   */
  #openDescriptors(
    { address, port }: SocketAddress,
    count: number,
    inherited: readonly number[] = [],
  ): readonly number[] {
    const fds = [...inherited];
    let wanted = port;
    const spec = (): DatagramSocketSpec => ({
      family: ipFamily(address),
      address: encodeSockaddr(address, wanted),
      receiveTimeoutMs: DEAF_MS,
      receiveBufferBytes: this.#options.receiveBufferBytes,
      packetInfo: isWildcard(address),
    });
    try {
      for (const fd of inherited) adoptDatagramSocket(fd, spec());
      while (fds.length < count) {
        const fd = openDatagramSocket(spec());
        fds.push(fd);
        wanted = decodeSockaddr(boundAddress(fd, sockaddrBytes(ipFamily(address))))?.port ?? wanted;
      }
      return fds;
    } catch (error) {
      for (const fd of fds) closeDescriptor(fd);
      throw listenError(`udp ${formatAddressPort(address, port)}`, error);
    }
  }

  #take(record: RingRecord): void {
    const { socket, name, control, query, reply, receivedAtMs } = record;
    const open = this.#addresses.get(socket);
    const client = decodeSockaddr(name);
    // Port 0 cannot be answered.
    if (open === undefined || client === undefined || client.port === 0) return;
    const { address, fd } = open;
    const asked = packetInfoAddress(control);
    const local = asked === undefined ? address.local : { address: asked, port: address.local.port };
    const arrival: Arrival = { bytes: query, client, local, transport: 'udp', receivedAtMs };
    if (reply.length > 0) {
      const { route, durationMs } = record;
      this.#options.onAnswer?.({ arrival, route, reply, durationMs });
      return;
    }
    const hasInfo = forgetInterface(control, 0, control.length);
    const to: Addressed = { fd, name, control: hasInfo ? control : new Uint8Array() };
    address.onArrival(arrival, (bytes) => {
      if (!address.isClosed) this.#sender.send(to, bytes);
    });
  }

  /** The threads read these descriptors no more; they stay open for replies. */
  async #letGo({ parts }: OpenAddress): Promise<void> {
    await Promise.all(parts.map(({ thread, id }) => thread.close(id)));
  }

  async #stopTaking({ local, parts }: OpenAddress): Promise<void> {
    const family = ipFamily(local.address);
    const peer = isWildcard(local.address) ? LOOPBACK[family] : local.address;
    for (const { fd } of parts) stopTaking(fd, encodeSockaddr(peer, DISCARD_PORT));
    await Promise.all(parts.map(({ thread, id }) => thread.drain(id)));
  }

  async #close(address: OpenAddress): Promise<void> {
    await Promise.all(address.parts.map(({ thread, id }) => thread.close(id)));
    address.isClosed = true;
    this.#sender.flush();
    for (const { id, fd } of address.parts) {
      this.#addresses.delete(id);
      closeDescriptor(fd);
    }
  }
}

async function beat(thread: PacketThread, at: bigint | undefined): Promise<void> {
  if (at !== undefined) await thread.beat(at);
}
