/**
 * The datagrams of one `node:dgram` socket, in batches: what one turn of the event loop brings is first all taken, then
 * all answered, then all sent. Each system call leaves the processor's caches and branch predictors to the kernel; taken
 * one by one, every query would be answered by cold code, at one and a half times the cost. A batch ends with its turn,
 * so a lone query waits for nobody, and libuv takes at most 32 datagrams of a socket in a turn.
 */
import type { RemoteInfo, Socket } from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { parseIp } from '../net/ip.ts';
import type { SocketAddress } from './handler.ts';
import type { Arrival } from './serve-query.ts';
import type { OnArrival, Shortcut, UdpSocket } from './udp.ts';

/** Replies waiting in this process because the interface is full; beyond it they are dropped, as the kernel would. */
const MAX_SEND_QUEUE_BYTES = 4 << 20;

interface Datagram {
  readonly bytes: Uint8Array;
  readonly peer: RemoteInfo;
}

interface Arrived {
  readonly arrival: Arrival;
  readonly peer: RemoteInfo;
}

/** Who answers what comes. */
export interface BatchReader {
  readonly onArrival: OnArrival;
  /** Asked first; with it goes the number it knows the listener by. */
  readonly shortcut?: Shortcut;
  readonly listener?: number;
}

export class BatchedSocket implements UdpSocket {
  readonly local: SocketAddress;
  readonly #socket: Socket;
  readonly #reader: BatchReader;
  #arrived: Datagram[] = [];
  /** Replies to the batch in hand; undefined between batches, when replies are sent as they come. */
  #replies: Datagram[] | undefined;
  #closing: Promise<void> | undefined;

  /** Takes over a socket that is bound to `local`. */
  constructor(socket: Socket, local: SocketAddress, reader: BatchReader) {
    this.#socket = socket;
    this.local = local;
    this.#reader = reader;
    socket.on('error', ignoreLostReply);
    socket.on('message', (bytes, peer) => this.#take({ bytes, peer }));
  }

  /** What has been taken already is answered first. */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#answerBatch();
    this.#closing = new Promise((resolve) => this.#socket.close(() => resolve()));
    return this.#closing;
  }

  #take(datagram: Datagram): void {
    this.#arrived.push(datagram);
    if (this.#arrived.length === 1) setImmediate(() => this.#answerBatch());
  }

  #answerBatch(): void {
    const taken = this.#arrived;
    const replies: Datagram[] = [];
    this.#arrived = [];
    this.#replies = replies;
    const receivedAtMs = performance.now();
    const { local } = this;
    const arrived: Arrived[] = [];
    for (const { bytes, peer } of taken) {
      const client = clientAddress(peer);
      if (client === undefined) continue;
      arrived.push({ arrival: { bytes, client, local, transport: 'udp', receivedAtMs }, peer });
    }
    try {
      for (const { arrival, peer } of this.#shortCut(arrived, replies)) this.#answer(arrival, peer);
    } finally {
      // Also if a bug of ours threw: the others shall not wait for ever.
      this.#replies = undefined;
      this.#send(replies);
    }
  }

  /** Gives back those that the chain has to answer. */
  #shortCut(arrived: Arrived[], replies: Datagram[]): readonly Arrived[] {
    const { shortcut, listener } = this.#reader;
    if (shortcut === undefined || listener === undefined) return arrived;
    shortcut.begin();
    const rest = arrived.filter(({ arrival, peer }) => {
      const bytes = shortcut.answer(arrival, listener);
      if (bytes !== undefined) replies.push({ bytes, peer });
      return bytes === undefined;
    });
    shortcut.end();
    return rest;
  }

  #answer(arrival: Arrival, peer: RemoteInfo): void {
    this.#reader.onArrival(arrival, (reply) => {
      if (this.#replies === undefined) this.#send([{ bytes: reply, peer }]);
      else this.#replies.push({ bytes: reply, peer });
    });
  }

  #send(replies: readonly Datagram[]): void {
    if (this.#closing !== undefined || this.#socket.getSendQueueSize() > MAX_SEND_QUEUE_BYTES) return;
    // Without a callback: it would cost a tick for each reply, and what it would tell of errors is nobody's business.
    for (const { bytes, peer } of replies) this.#socket.send(bytes, peer.port, peer.address);
  }
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
