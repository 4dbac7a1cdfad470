/**
 * One UDP socket to one upstream, on a port the kernel drew at random, shared by a bounded number of questions in its
 * short life. `connect` makes the kernel drop what comes from any other address (RFC 5452 section 9.1). Once retired it
 * takes no more questions and closes when the last of them is settled.
 */
import { createSocket, type Socket } from 'node:dgram';
import type { Message } from '../../../dns/message.ts';
import { errorCode } from '../../../fault/app-error.ts';
import { type Ip, ipFamily, parseIp } from '../../../net/ip.ts';
import { formatAddressPort } from '../../../net/port.ts';
import type { UpstreamAddress } from '../upstream-address.ts';
import type { Batch } from './batch.ts';
import { type Done, type ExchangeTools, emptyTruncated } from './exchange.ts';
import { dialFailure, type Path, readFailure, readTimeout, writeFailure } from './go-error.ts';
import { Outstanding, type Waiting } from './outstanding.ts';

export interface UdpPortOptions extends ExchangeTools {
  readonly upstream: UpstreamAddress;
  readonly sourceAddress: Ip | undefined;
  /** Questions this port may ask. */
  readonly questions: number;
  /** Brings what has come in back to `receive`, and what is to go out to `send`, at the end of the turn. */
  readonly arrivals: Batch<Arrival>;
  readonly departures: Batch<Departure>;
  /** It takes no more questions: called once, by itself or by `retire`. */
  readonly onRetired: (port: UdpPort) => void;
}

export interface Arrival {
  readonly port: UdpPort;
  readonly bytes: Uint8Array;
}

export interface Departure {
  readonly port: UdpPort;
  readonly waiting: Waiting;
}

export class UdpPort {
  readonly openedMs: number;
  readonly #options: UdpPortOptions;
  readonly #socket: Socket;
  readonly #outstanding: Outstanding;
  /** Questions that came before the socket was connected, in the same turn of the loop. */
  #backlog: Waiting[] | undefined = [];
  #questionsLeft: number;
  #isRetired = false;
  #isClosed = false;

  constructor(options: UdpPortOptions) {
    const { upstream, sourceAddress } = options;
    this.#options = options;
    this.openedMs = options.clock.monotonicMs();
    this.#questionsLeft = options.questions;
    this.#outstanding = new Outstanding({
      ...options,
      expired: () => ({ ok: false, error: readTimeout(this.#path()) }),
      unreadable: (asked) => ({ ok: true, reply: emptyTruncated(asked) }),
      // An error without any question is how old servers refuse what they cannot read: no use waiting for more.
      waitsOn: ({ counts, rcode }) => counts.qd !== 0 || rcode === 0,
      onIdle: () => this.#isRetired && this.#close(),
    });
    this.#socket = openSocket(upstream);
    // Without callbacks of their own, `bind` and `connect` report their failures here as well.
    // A tick later, because a wrong source address is reported before there is a question to fail.
    this.#socket.on('error', (cause) => process.nextTick(() => this.#failed(cause)));
    this.#socket.on('message', (bytes, from) => {
      // Between the opening of the port and `connect` anybody could have sent something.
      if (from.port === upstream.port && isSame(from.address, upstream.address)) {
        options.arrivals.add({ port: this, bytes });
      }
    });
    this.#socket.on('connect', () => this.#connected());
    if (sourceAddress !== undefined) this.#socket.bind({ address: sourceAddress, port: 0, exclusive: true });
    this.#socket.connect(upstream.port, upstream.address);
  }

  get load(): number {
    return this.#outstanding.size;
  }

  /** Only before it is retired. */
  ask(query: Message, done: Done): void {
    const waiting = this.#outstanding.enter(query, done);
    if (this.#backlog === undefined) this.#options.departures.add({ port: this, waiting });
    else this.#backlog.push(waiting);
    if (--this.#questionsLeft <= 0) this.retire();
  }

  retire(): void {
    this.#withdraw();
    if (this.#outstanding.size === 0) this.#close();
  }

  #connected(): void {
    const backlog = this.#backlog ?? [];
    this.#backlog = undefined;
    for (const waiting of backlog) this.send(waiting);
  }

  /** One callback for all: the kernel also reports here that nobody listens at the other end. */
  send(waiting: Waiting): void {
    // A refusal may have settled it meanwhile.
    if (this.#isClosed || !this.#outstanding.holds(waiting)) return;
    this.#socket.send(this.#outstanding.send(waiting), this.#sent);
  }

  readonly #sent = (cause: Error | null): void => {
    if (cause !== null) this.#failed(cause);
  };

  receive(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#outstanding.receive(bytes);
    if (this.#outstanding.flooded) this.#giveUp(new Error('too many answers to questions never asked'));
  }

  /**
   * What the kernel says of one packet holds for all that wait: they went to the same place. It does the socket no harm;
   * only one that never came to be connected is of no use.
   */
  #failed(cause: unknown): void {
    if (this.#isClosed) return;
    const path = this.#path();
    if (this.#backlog !== undefined) {
      this.#giveUp(dialFailure(path, cause));
      return;
    }
    // A refusal is told at the next system call, whichever that is; it is the answer to what was sent before.
    const error = errorCode(cause) === 'ECONNREFUSED' ? readFailure(path, cause) : writeFailure(path, cause);
    this.#outstanding.settleAll(() => ({ ok: false, error }));
  }

  #giveUp(error: Error): void {
    if (this.#isClosed) return;
    this.#withdraw();
    this.#outstanding.settleAll(() => ({ ok: false, error }));
    this.#close();
  }

  #withdraw(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#options.onRetired(this);
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  #path(): Path {
    return { transport: 'udp', local: localAddress(this.#socket), remote: this.#options.upstream.text };
  }
}

function isSame(text: string, address: Ip): boolean {
  return text === address || parseIp(text) === address;
}

/** Addresses are literal, so that no look-up has to happen; the stock one would cost a turn of the loop. */
function openSocket(upstream: UpstreamAddress): Socket {
  const family = ipFamily(upstream.address);
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (host, _options, done) => done(null, host, family),
  });
}

/** `address()` throws on a socket that never got so far as to have one. */
function localAddress(socket: Socket): string | undefined {
  try {
    const { address, port } = socket.address();
    const ip = parseIp(address);
    return ip === undefined ? undefined : formatAddressPort(ip, port);
  } catch {
    return undefined;
  }
}
