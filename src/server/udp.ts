/**
 * The seam between DNS and datagrams. A transport may answer packets by itself (from a shared cache, in its own thread)
 * and hands over only those it could not answer; `dgramTransport` hands over all. Replies may come at any time, in any
 * order, or never. Nothing a peer sends or refuses may surface as an error of the process.
 */
import { type Ip, type IpFamily, parseIp } from '../net/ip.ts';
import type { SocketAddress } from './handler.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import type { Arrival } from './serve-query.ts';

/** Asked for; the system caps it at `net.core.rmem_max`. A larger queue only makes answers late (userspace-udp 9). */
export const RECEIVE_BUFFER_BYTES = 1 << 20;

/** Called for each packet the transport did not answer; `respond` may be called once, and after `close` does nothing. */
export type OnArrival = (arrival: Arrival, respond: (bytes: Uint8Array) => void) => void;

export interface UdpSpec {
  /** A wildcard means every address of its family. Port 0 lets the system choose. */
  readonly local: SocketAddress;
  /** Addresses on this port that other sockets of this process serve: a wildcard leaves them alone. */
  readonly except?: readonly Ip[];
  /** Sockets, each with a packet thread of its own, that share the address; as many as there are threads at least. */
  readonly sockets?: number;
  /** What the answer cache knows this listener by; absent: it is not asked. */
  readonly listener?: number;
  /** Those of the same address are read instead of new ones. */
  readonly inherited?: InheritedSockets;
}

export interface UdpSocket {
  /** As bound: the wildcard if that was asked for, with the real port. */
  readonly local: SocketAddress;
  /**
   * Before `close`, for transports that can: new packets go to who else shares the address, or are refused. Resolves when
   * all that has arrived has been answered or handed over; replies to those still go out.
   */
  stopTaking?(): Promise<void>;
  /**
   * Instead of `stopTaking`, when another process reads the same socket: leaves all that comes from now on to that one.
   * Resolves as `stopTaking` does.
   */
  letGo?(): Promise<void>;
  /** Stops receiving; resolves when the descriptors are closed. */
  close(): Promise<void>;
}

export interface UdpTransport {
  /** A reply leaves from the address its query was sent to. Rejects with a `SERVER_…` error. */
  open(spec: UdpSpec, onArrival: OnArrival): Promise<UdpSocket>;
}

/** A way round the chain, on the main thread: for transports whose packets no other thread answers. */
export interface Shortcut {
  /** Before the first `answer` of a batch, and after the last one. */
  begin(): void;
  end(): void;
  /** The whole reply; undefined when the chain has to answer. */
  answer(arrival: Arrival, listener: number): Uint8Array | undefined;
}

const WILDCARDS: Readonly<Record<IpFamily, Ip>> = { 4: parsed('0.0.0.0'), 6: parsed('::') };

/** The wildcard address of a family. */
export function wildcardOf(family: IpFamily): Ip {
  return WILDCARDS[family];
}

export function isWildcard(address: Ip): boolean {
  return address === WILDCARDS[4] || address === WILDCARDS[6];
}

function parsed(text: string): Ip {
  const address = parseIp(text);
  if (address === undefined) throw new Error(`Cannot parse ${text}`);
  return address;
}
