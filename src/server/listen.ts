/**
 * A listener: UDP and TCP, or DoT, on one address and port, one router in front of them. A reload swaps the router whole
 * and leaves the sockets open; each query sees the router that stood when it arrived. Absent on purpose: which plugins
 * exist, what metrics are called, what a Corefile says.
 */
import { errorCode } from '../fault/app-error.ts';
import type { Ip } from '../net/ip.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { dgramTransport } from './dgram-transport.ts';
import type { SocketAddress } from './handler.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import { isFamilyMissing } from './listen-error.ts';
import type { ListenerConduct } from './listener-options.ts';
import type { ServeObserver } from './observer.ts';
import { QueryDesk } from './query-desk.ts';
import type { Arrival } from './serve-query.ts';
import { openTcp, type StreamConduct, type TcpListener } from './tcp.ts';
import { type UdpSocket, type UdpSpec, type UdpTransport, wildcardOf } from './udp.ts';

/** With port 0, UDP may find the port that TCP was given taken. */
const PORT_ATTEMPTS = 8;
/** Before closing; enough for what arrives in a millisecond at full load. */
const READING_TURNS = 4;
/** As many connections as the kernel keeps for a listener, and no more however many go on coming. */
const MOST_READING_TURNS = 1024;

export interface ListenerSpec extends ListenerConduct {
  /** Absent means every address of both families; a machine without IPv6 serves IPv4 alone. */
  readonly address?: Ip;
  /** 0 lets the system choose one that is free for UDP and TCP. */
  readonly port: number;
  /** Metric label: `dns://:53`, `dns://10.96.0.10:53`. */
  readonly server: string;
  /** What the answer cache knows it by; absent: packet threads answer nothing here. */
  readonly number?: number;
  /** Opens no datagram socket: DoT, which without `tls` is TCP in clear. */
  readonly streamOnly?: boolean;
  /** Datagram sockets, each with its packet thread, for each address. Default 1; TCP always has one. */
  readonly sockets?: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly observer?: ServeObserver;
  /** Addresses that other listeners of this process bind on the same port; matters only for a wildcard. */
  readonly except?: readonly Ip[];
  /** Default `dgramTransport`. */
  readonly udp?: UdpTransport;
  /** Those of the same address are used instead of new ones. */
  readonly inherited?: InheritedSockets;
}

export interface Listener {
  /** What is bound, the given address or the wildcards, each with the real port. */
  readonly addresses: readonly SocketAddress[];
  readonly port: number;
  /**
   * Takes effect for the next query and the next connection; queries under way end on the old routes. Throws OpenSSL's
   * error for a certificate it does not take; then everything is as before.
   */
  configure(conduct: ListenerConduct): void;
  /**
   * Answers what is in hand, for at most `graceMs`, then closes every socket. Calling it again waits for the same end.
   * With `shared`, another process has the same sockets: they are left as they are.
   */
  close(graceMs: number, options?: { readonly shared?: boolean }): Promise<void>;
}

/** Rejects with a `SERVER_…` error; then nothing is left open. */
export async function startListener(spec: ListenerSpec): Promise<Listener> {
  const desk = new QueryDesk(spec);
  const sockets = await openSockets(spec, desk);
  let closing: Promise<void> | undefined;
  return {
    addresses: sockets.tcp.map((listener) => listener.local),
    port: sockets.port,
    configure(conduct) {
      for (const listener of sockets.tcp) listener.configure(conduct);
      desk.configure(conduct);
    },
    close(graceMs, { shared = false } = {}) {
      closing ??= closeSockets(sockets, { desk, clock: spec.clock, graceMs, shared });
      return closing;
    },
  };
}

interface Sockets {
  readonly port: number;
  readonly tcp: TcpListener[];
  readonly udp: UdpSocket[];
}

async function openSockets(spec: ListenerSpec, desk: QueryDesk): Promise<Sockets> {
  for (let attempt = 1; ; attempt++) {
    const sockets: Sockets = { port: 0, tcp: [], udp: [] };
    try {
      return await openInto(sockets, spec, desk);
    } catch (error) {
      await closeSockets(sockets, { desk, clock: spec.clock, graceMs: 0, shared: false });
      const isPortTaken = spec.port === 0 && errorCode(error) === 'SERVER_ADDRESS_IN_USE';
      if (!isPortTaken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** What has been opened stands in `sockets` also when a later one fails. */
async function openInto(sockets: Sockets, spec: ListenerSpec, desk: QueryDesk): Promise<Sockets> {
  const transport = spec.udp ?? dgramTransport;
  const addresses = spec.address === undefined ? [wildcardOf(4), wildcardOf(6)] : [spec.address];
  const serve = (arrival: Arrival) => desk.serve(arrival);
  let port = spec.port;
  for (const address of addresses) {
    try {
      const tcp = await openTcp({
        ...streamConduct(spec),
        local: { address, port },
        ...(spec.inherited && { inherited: spec.inherited }),
        clock: spec.clock,
        serve,
      });
      sockets.tcp.push(tcp);
      port = tcp.local.port;
      if (spec.streamOnly) continue;
      sockets.udp.push(
        await transport.open({ ...datagramSpec(spec), local: { address, port } }, desk.answer),
      );
    } catch (error) {
      if (address === addresses[0] || !isFamilyMissing(error)) throw error;
    }
  }
  return { ...sockets, port };
}

/**
 * Packets and connections that the kernel has already taken for a socket die with it, also at a change of addresses when
 * the successor is open. A turn that begins now may be past its reading; each later one reads 32 packets per socket, and
 * takes one connection per listener: as long as one comes in each turn there may be more, a hundred after a busy moment.
 */
async function readWhatArrived(listeners: readonly TcpListener[]): Promise<void> {
  const count = () => listeners.reduce((sum, { accepted }) => sum + accepted, 0);
  for (let turn = 0, idle = 0; turn < MOST_READING_TURNS && idle < READING_TURNS; turn++) {
    const before = count();
    await new Promise((resolve) => setImmediate(resolve));
    idle = count() === before ? idle + 1 : 0;
  }
}

async function closeSockets(
  sockets: Sockets,
  end: { desk: QueryDesk; clock: Clock; graceMs: number; shared: boolean },
): Promise<void> {
  if (end.graceMs > 0) {
    await Promise.all([
      readWhatArrived(sockets.tcp),
      ...sockets.udp.map((socket) => stopReading(socket, end.shared)),
    ]);
  }
  const tcpClosed = Promise.all(sockets.tcp.map((listener) => listener.close({ gently: end.shared })));
  const grace = Promise.withResolvers<void>();
  const timer = end.clock.after(end.graceMs, grace.resolve);
  await Promise.race([grace.promise, Promise.all([tcpClosed, end.desk.whenIdle()])]);
  timer.cancel();
  for (const listener of sockets.tcp) listener.destroy();
  await Promise.all([tcpClosed, ...sockets.udp.map((socket) => socket.close())]);
}

async function stopReading(socket: UdpSocket, isShared: boolean): Promise<void> {
  await (isShared ? socket.letGo?.() : socket.stopTaking?.());
}

function datagramSpec({ except, sockets, number, inherited }: ListenerSpec): Omit<UdpSpec, 'local'> {
  return {
    except: except ?? [],
    ...(sockets && { sockets }),
    ...(inherited && { inherited }),
    ...(number !== undefined && { listener: number }),
  };
}

function streamConduct({ timeouts, tls }: ListenerConduct): StreamConduct {
  return { ...(timeouts && { timeouts }), ...(tls && { tls }) };
}
