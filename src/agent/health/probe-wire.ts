/**
 * The question of a probe and its ways to a backend: one datagram socket for each family, and a TCP connection at a time.
 * The question is one that a server answers or refuses by itself (class CHAOS, RFC 4892): whatever it forwards to must
 * not count against it, nor be bothered ten times a second. They leave from the network namespace the agent runs in.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { PacketEvent } from '../../datapath/datapath.ts';
import { CLASS, OPCODE, RCODE, TYPE } from '../../dns/codes.ts';
import { decodeHeader } from '../../dns/decode-message.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Flags } from '../../dns/message.ts';
import { parseName, ROOT } from '../../dns/name.ts';
import { errorCode } from '../../fault/app-error.ts';
import type { OwnPackets } from '../../flow/flow-recorder.ts';
import { type Ip, ipFamily, parseIp } from '../../net/ip.ts';
import { PROTOCOL_NUMBERS } from '../../net/port.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Place } from './health-rows.ts';
import type { Connection } from './probe-state.ts';

const NO_FLAGS: Flags = {
  response: false,
  authoritative: false,
  truncated: false,
  recursionDesired: false,
  recursionAvailable: false,
  zero: false,
  authenticData: false,
  checkingDisabled: false,
};

/** `id.server` of class CHAOS. */
export function probeQuery(id: number): Uint8Array {
  const question = { name: parseName('id.server.') ?? ROOT, type: TYPE.TXT, class: CLASS.CH };
  const nothing = { answers: [], authorities: [], additionals: [] };
  return encodeMessage({
    ...{ id, opcode: OPCODE.QUERY, rcode: RCODE.NOERROR, flags: NO_FLAGS },
    ...{ questions: [question], ...nothing },
  });
}

export interface ProbeWire extends OwnPackets {
  /** Asks; `onAnswer` tells of what comes back. What cannot be sent is what never arrives. */
  ask(place: Place, id: number): void;
  /** Calls back once, unless `cancel` was called before. */
  connect(place: Place, onEnd: (how: Connection) => void): { cancel(): void };
  /** Called with each response, whoever sent it and whatever it answers. */
  onAnswer(listener: (from: { readonly address: Ip; readonly port: number }, id: number) => void): void;
  close(): void;
}

/** A port is remembered for as long as its packets may lie in the kernel's ring. */
const REMEMBERED_PORTS = 64;
/** A node's own addresses change rarely, and to miss one shows a probe as a flow. */
const ADDRESSES_MAX_AGE_MS = 10_000;

export function openProbeWire(clock: Clock): ProbeWire {
  return new RealWire(clock);
}

class RealWire implements ProbeWire {
  readonly #clock: Clock;
  readonly #sockets = new Map<4 | 6, DatagramSocket>();
  readonly #connections = new Set<Socket>();
  readonly #udpPorts = new Set<number>();
  #tcpPorts: readonly number[] = [];
  #addresses: ReadonlySet<string> = new Set();
  #addressesAtMs = Number.NEGATIVE_INFINITY;
  #listener: Parameters<ProbeWire['onAnswer']>[0] = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onAnswer(listener: Parameters<ProbeWire['onAnswer']>[0]): void {
    this.#listener = listener;
  }

  ask({ address, port }: Place, id: number): void {
    this.#socketFor(ipFamily(address)).send(probeQuery(id), port, address, () => undefined);
  }

  connect({ address, port }: Place, onEnd: (how: Connection) => void) {
    const socket = connect({ host: address, port });
    this.#connections.add(socket);
    const end = (how: Connection) => {
      this.#connections.delete(socket);
      this.#rememberPort(socket);
      // Not with FIN: nothing is to be left waiting, here or in connection tracking.
      socket.resetAndDestroy();
      onEnd(how);
    };
    socket.on('connect', () => end('connected'));
    socket.on('error', (error) => {
      if (this.#connections.has(socket)) end(errorCode(error) === 'ECONNREFUSED' ? 'refused' : 'no answer');
    });
    // By then it has a port; where nothing answers there is no other moment to learn it.
    setImmediate(() => this.#rememberPort(socket));
    return {
      cancel: () => {
        this.#connections.delete(socket);
        socket.destroy();
      },
    };
  }

  mayBeOwn(protocol: number, sourcePort: number, destinationPort: number): boolean {
    if (protocol === PROTOCOL_NUMBERS.UDP)
      return this.#udpPorts.has(sourcePort) || this.#udpPorts.has(destinationPort);
    return this.#tcpPorts.includes(sourcePort) || this.#tcpPorts.includes(destinationPort);
  }

  isOwn({ protocol, source, destination }: PacketEvent): boolean {
    const isOurs = ({ address, port }: PacketEvent['source']) =>
      (protocol === 'UDP' ? this.#udpPorts.has(port) : this.#tcpPorts.includes(port)) &&
      this.#isHere(address);
    return isOurs(source) || isOurs(destination);
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
    for (const socket of this.#connections) socket.destroy();
    this.#connections.clear();
  }

  /** A pod may use the same port. */
  #isHere(address: Ip): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#addressesAtMs > ADDRESSES_MAX_AGE_MS) {
      const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
      this.#addresses = new Set(all.map((each) => each.address));
      this.#addressesAtMs = nowMs;
    }
    return this.#addresses.has(address);
  }

  #rememberPort({ localPort }: Socket): void {
    if (localPort === undefined || this.#tcpPorts.includes(localPort)) return;
    this.#tcpPorts = [localPort, ...this.#tcpPorts].slice(0, REMEMBERED_PORTS);
  }

  #socketFor(family: 4 | 6): DatagramSocket {
    const known = this.#sockets.get(family);
    if (known !== undefined) return known;
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
    this.#sockets.set(family, socket);
    socket.unref();
    socket.on('error', () => this.#forget(family, socket));
    socket.on('message', (bytes, peer) => this.#hear(bytes, peer));
    socket.bind(0, () => this.#udpPorts.add(socket.address().port));
    return socket;
  }

  /** The next question opens another one. */
  #forget(family: 4 | 6, socket: DatagramSocket): void {
    this.#sockets.delete(family);
    socket.close();
  }

  #hear(bytes: Uint8Array, peer: { readonly address: string; readonly port: number }): void {
    const header = decodeHeader(bytes);
    const address = parseIp(peer.address.replace(/%.*$/, ''));
    if (header?.flags.response === true && address !== undefined) {
      this.#listener({ address, port: peer.port }, header.id);
    }
  }
}
