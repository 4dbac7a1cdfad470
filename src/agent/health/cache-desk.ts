/**
 * The agent's end of the heartbeat: a socket that only root can open, where caches ask for a seat. A cache that ends, or
 * says that it will, is no longer led to before this returns to the event loop. Descriptors come from the kernel without
 * an event loop to tell of them, so they are looked at on a timer: one cheap call for each.
 * Closing leaves the health rows as they are: caches keep their seats and beat on, and the next agent finds both.
 */
import { closeSync, lstatSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AnswerShelf, BeatMap as BeatSource } from '../../datapath/datapath.ts';
import { AppError, errorCode, errorText } from '../../fault/app-error.ts';
import {
  decodeCacheMessage,
  encode,
  type Hello,
  LEFT,
  type Seated,
  type ShelfGrant,
} from '../../heartbeat/messages.ts';
import { makeDirectory } from '../../sys/bpffs.ts';
import {
  type ChannelListener,
  connectForDescriptors,
  type DescriptorChannel,
  listenForDescriptors,
} from '../../sys/descriptor-channel.ts';
import { type Clock, type Timer, untilTick } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { AGENT_ERRORS, type AgentErrorCode } from '../errors.ts';
import type { SeatTable } from './seat-table.ts';

/** A cache that leaves does not wait for this: its beat says so already. */
const LOOK_MS = 50;
const MAX_CACHES = 64;
/** A hello with every address, port and listener there is room for has some twenty-five thousand bytes. */
const MAX_MESSAGE_BYTES = 28_672;
/** In one look, so that one that never stops talking keeps nobody waiting. */
const MESSAGES_PER_LOOK = 8;
/** Whoever has not said by then who it is makes room. */
const HELLO_MS = 5000;

/** A cache that is connected. */
export interface CacheRow {
  readonly seat: number;
  readonly hello: Hello;
  readonly state: 'seated' | 'beating' | 'leaving';
  /** It beats no more, though it has not gone: it hangs, or was stopped. */
  readonly isLate?: true;
  /** Its part of the answer map, which it fills; absent: it has none. */
  readonly shelf?: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
}

export interface CacheDeskOptions {
  readonly path: string;
  readonly beats: BeatSource;
  readonly seats: SeatTable;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warning'>;
  /** Called whenever `caches` has changed; what it writes to the kernel is in force when it returns. */
  readonly onChange: () => void;
  /** Whether the last beat at this seat is too old; looked at with everything else. Absent: never. */
  readonly isLate?: (seat: number) => boolean;
  /** The shelf of a cache that says this of itself and has that one already; absent, undefined: it gets none. */
  readonly grantShelf?: (hello: Hello, held: number | undefined) => AnswerShelf | undefined;
}

interface Client {
  readonly channel: DescriptorChannel;
  readonly sinceMs: number;
  readonly openedMs: number;
  hello?: Hello;
  seat?: number;
  shelf?: number | undefined;
  state: CacheRow['state'];
  isLate: boolean;
}

export class CacheDesk {
  readonly #options: CacheDeskOptions;
  readonly #listener: ChannelListener;
  /** In the order in which they began to beat, then those that do not yet. */
  #clients: readonly Client[] = [];
  #refused = 0;
  #timer: Timer | undefined;

  /** Throws `AppError` AGENT_SOCKET_TAKEN or AGENT_SOCKET_UNUSABLE. */
  constructor(options: CacheDeskOptions) {
    this.#options = options;
    this.#listener = listenAt(options.path);
    this.#look();
  }

  /** The one that began to beat last stands last. */
  get caches(): readonly CacheRow[] {
    return this.#clients.flatMap(({ hello, seat, shelf, state, isLate, sinceMs }) => {
      if (hello === undefined || seat === undefined) return [];
      return [
        { seat, hello, state, sinceMs, ...(isLate && { isLate }), ...(shelf !== undefined && { shelf }) },
      ];
    });
  }

  /** Connections that were ended because of what they said, or because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  close(): void {
    this.#timer?.cancel();
    this.#listener.close();
    for (const { channel } of this.#clients) channel.close();
    this.#clients = [];
    try {
      unlinkSync(this.#options.path);
    } catch {
      // Somebody else has taken it away.
    }
  }

  #look(): void {
    const { clock } = this.#options;
    for (let channel = this.#listener.accept(); channel !== undefined; channel = this.#listener.accept()) {
      this.#admit(channel);
    }
    for (const client of this.#clients) this.#listen(client);
    this.#watchBeats();
    this.#timer = clock.after(untilTick(clock, LOOK_MS), () => this.#look());
  }

  #admit(channel: DescriptorChannel): void {
    const { clock } = this.#options;
    const client: Client = {
      ...{ channel, state: 'seated', isLate: false },
      sinceMs: clock.nowMs(),
      openedMs: clock.monotonicMs(),
    };
    if (this.#clients.length < MAX_CACHES) this.#clients = [...this.#clients, client];
    else this.#refuse(client, `there are ${MAX_CACHES} already`);
  }

  #watchBeats(): void {
    const { isLate, onChange } = this.#options;
    if (isLate === undefined) return;
    const turned = this.#clients.filter(
      ({ state, seat, isLate: wasLate }) =>
        state === 'beating' && seat !== undefined && isLate(seat) !== wasLate,
    );
    for (const client of turned) client.isLate = !client.isLate;
    if (turned.length > 0) onChange();
  }

  #listen(client: Client): void {
    for (let i = 0; i < MESSAGES_PER_LOOK && client.channel.isReady(); i++) {
      const heard = client.channel.receive();
      if (heard === 'nothing') return;
      if (heard === 'closed') {
        this.#drop(client);
        return;
      }
      for (const fd of heard.fds) closeSync(fd);
      if (!this.#hear(client, heard.bytes)) return;
    }
    const isSilent = client.hello === undefined;
    if (isSilent && this.#options.clock.monotonicMs() - client.openedMs > HELLO_MS) {
      this.#refuse(client, 'it has not said who it is');
    }
  }

  /** False when that was the end of it. */
  #hear(client: Client, bytes: Uint8Array): boolean {
    const message = bytes.length > MAX_MESSAGE_BYTES ? undefined : decodeCacheMessage(bytes);
    if (message === undefined || !message.ok) {
      this.#refuse(client, message?.reason ?? `it is longer than ${MAX_MESSAGE_BYTES} bytes`);
      return false;
    }
    if (message.value.kind === 'hello') return this.#seat(client, message.value.hello);
    if (client.seat === undefined) {
      this.#refuse(client, 'it has no seat');
      return false;
    }
    if (message.value.kind === 'beating') this.#beats(client);
    else this.#leaves(client);
    return this.#clients.includes(client);
  }

  #seat(client: Client, hello: Hello): boolean {
    const { seats, beats, grantShelf } = this.#options;
    const seat = client.seat ?? seats.take(hello.seat);
    if (seat === undefined) {
      this.#refuse(client, 'there is no seat left');
      return false;
    }
    client.seat = seat;
    const wasKnown = client.hello !== undefined;
    client.hello = hello;
    const shelf = grantShelf?.(hello, client.shelf);
    client.shelf = shelf?.number;
    const seated: Seated = {
      ...{ seat, seats: beats.seats, beatBytes: beats.beatBytes },
      ...(shelf && { shelf: grantOf(shelf) }),
    };
    const sent = this.#send(client, encode(seated), [beats.fd, ...(shelf?.fds ?? [])]);
    if (sent && wasKnown) this.#options.onChange();
    return sent;
  }

  #beats(client: Client): void {
    if (client.state !== 'seated') return;
    client.state = 'beating';
    // Behind those that beat before it: the newest one has the addresses that several serve.
    this.#clients = [...this.#clients.filter((other) => other !== client), client];
    this.#options.log.info(`cache at seat ${client.seat} beats: ${placesOf(client)}`);
    this.#options.onChange();
  }

  #leaves(client: Client): void {
    client.state = 'leaving';
    this.#options.onChange();
    this.#send(client, LEFT);
  }

  #send(client: Client, bytes: Uint8Array, fds: readonly number[] = []): boolean {
    try {
      client.channel.send(bytes, fds);
      return true;
    } catch {
      // It went away, or does not read: both end the connection.
      this.#drop(client);
      return false;
    }
  }

  #refuse(client: Client, reason: string): void {
    this.#refused++;
    this.#options.log.warning(`a cache is refused: ${reason}`);
    try {
      client.channel.send(encode({ error: reason }));
    } catch {
      // It does not want to know.
    }
    this.#drop(client);
  }

  #drop(client: Client): void {
    client.channel.close();
    this.#clients = this.#clients.filter((other) => other !== client);
    if (client.seat === undefined) return;
    // First out of the kernel's rows: whoever gets the seat next begins there with a clean one.
    this.#options.onChange();
    this.#options.seats.giveBack(client.seat);
    this.#options.log.info(`cache at seat ${client.seat} is gone: ${placesOf(client)}`);
  }
}

function grantOf({ number, sets, smallSlots, largeSlots, logBytes }: AnswerShelf): ShelfGrant {
  return { number, sets, smallSlots, largeSlots, logBytes };
}

function placesOf({ hello }: Client): string {
  return `${hello?.addresses.join(', ')} port ${hello?.ports.join(', ')}`;
}

/** What a killed agent left behind is removed; a socket that answers is somebody's. */
function listenAt(path: string): ChannelListener {
  try {
    makeDirectory(dirname(path), { mode: 0o700 });
    if (isSocket(path)) removeDead(path);
    return listenForDescriptors(path, { backlog: MAX_CACHES });
  } catch (error) {
    if (errorCode(error) === ('AGENT_SOCKET_TAKEN' satisfies AgentErrorCode)) throw error;
    const code: AgentErrorCode = 'AGENT_SOCKET_UNUSABLE';
    throw new AppError(code, `Cannot listen for caches: ${errorText(error)}: received ${path}`, {
      cause: error,
      hint: 'Run as root, or give another path with --heartbeat-socket',
    });
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function removeDead(path: string): void {
  let channel: DescriptorChannel;
  try {
    channel = connectForDescriptors(path);
  } catch {
    // Nobody listens there any more.
    unlinkSync(path);
    return;
  }
  channel.close();
  const code: AgentErrorCode = 'AGENT_SOCKET_TAKEN';
  throw new AppError(code, `Cannot listen for caches: another agent does: received ${path}`, {
    hint: AGENT_ERRORS[code].cure,
  });
}
