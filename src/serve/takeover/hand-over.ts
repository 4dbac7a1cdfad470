/**
 * The side of the process that is taken over from. Its sockets go to the successor while it goes on reading them; only
 * when the successor says that it answers does this one stop. A successor that ends before that, however it ends, has
 * changed nothing. There is one at a time.
 */
import { basename, dirname, join } from 'node:path';
import type { AdminCommand } from '../../admin/admin-server.ts';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { SocketAddress } from '../../server/handler.ts';
import {
  connectForDescriptors,
  type DescriptorChannel,
  MAX_DESCRIPTORS,
} from '../../sys/descriptor-channel.ts';
import { type OwnSocket, ownSockets } from '../../sys/own-sockets.ts';
import type { Clock } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Generation } from '../generation.ts';
import { cachesOf, exportCaches } from './cache-transfer.ts';
import { TAKEOVER_ERRORS, type TakeoverErrorCode } from './errors.ts';
import { encodeSockets, ownNetwork, RELEASE } from './wire.ts';

/** How soon it is heard what became of the successor. */
const LISTEN_MS = 20;

export interface HandedServer {
  readonly current: Generation;
  readonly addresses: readonly SocketAddress[];
  share(isShared: boolean): void;
}

export interface HandOverOptions {
  readonly server: HandedServer;
  readonly clock: Clock;
  readonly log: Log;
  /** The successor answers. */
  readonly onReleased: (successor: string) => void;
}

export class HandOver {
  readonly #options: HandOverOptions;
  #channel: DescriptorChannel | undefined;
  /** Nobody takes over from a process that goes already. */
  #isOver = false;

  constructor(options: HandOverOptions) {
    this.#options = options;
  }

  /** `path` is that of the admin socket: the successor's channel is beside it. */
  commands(path: () => string): Readonly<Record<string, AdminCommand>> {
    return {
      'takeover sockets': ({ channel, successor, network }) => {
        if (network !== ownNetwork()) throw elsewhere(String(successor));
        this.#begin(join(dirname(path()), basename(String(channel))), String(successor));
        return [];
      },
      'takeover caches': () => exportCaches(cachesOf(this.#options.server.current)),
    };
  }

  #begin(path: string, successor: string): void {
    if (this.#channel !== undefined || this.#isOver) {
      throw refusal('another process takes over already', successor);
    }
    const { log, server } = this.#options;
    const channel = openChannel(path);
    try {
      // From here on closing a socket must not change it for the other one.
      server.share(true);
      sendSockets(channel, handedSockets(server.addresses));
    } catch (error) {
      server.share(false);
      channel.close();
      throw channelFault(error);
    }
    this.#channel = channel;
    log.info(`Process ${successor} is about to take over`);
    this.#listen(channel, successor);
  }

  #listen(channel: DescriptorChannel, successor: string): void {
    const { clock, log, server, onReleased } = this.#options;
    const heard = channel.receive();
    if (heard === 'nothing') {
      clock.after(LISTEN_MS, () => this.#listen(channel, successor));
      return;
    }
    channel.close();
    this.#channel = undefined;
    if (heard !== 'closed' && new TextDecoder().decode(heard.bytes) === RELEASE) {
      this.#isOver = true;
      onReleased(successor);
      return;
    }
    server.share(false);
    log.warning(`Process ${successor} ended before it could take over: this one goes on`);
  }
}

/** All that listens for TCP, pages included, and what reads datagrams at a port of the listeners. */
function handedSockets(addresses: readonly SocketAddress[]): readonly OwnSocket[] {
  const ports = new Set(addresses.map(({ port }) => port));
  return ownSockets().filter(({ kind, port }) => kind === 'tcp' || ports.has(port));
}

function sendSockets(channel: DescriptorChannel, sockets: readonly OwnSocket[]): void {
  for (let i = 0; i === 0 || i < sockets.length; i += MAX_DESCRIPTORS) {
    const part = sockets.slice(i, i + MAX_DESCRIPTORS);
    const described = part.map(({ kind, address, port }) => ({ kind, address, port }));
    const last = i + MAX_DESCRIPTORS >= sockets.length;
    channel.send(
      encodeSockets({ sockets: described, last }),
      part.map(({ fd }) => fd),
    );
  }
}

function openChannel(path: string): DescriptorChannel {
  try {
    return connectForDescriptors(path);
  } catch (error) {
    throw channelFault(error);
  }
}

function channelFault(error: unknown): AppError {
  const code: TakeoverErrorCode = 'TAKEOVER_CHANNEL';
  return new AppError(code, `Cannot hand over: ${errorText(error)}`, { hint: TAKEOVER_ERRORS[code].cure });
}

function elsewhere(successor: string): AppError {
  const code: TakeoverErrorCode = 'TAKEOVER_ELSEWHERE';
  return new AppError(code, `Cannot hand over: the successor is in another network: received ${successor}`, {
    hint: TAKEOVER_ERRORS[code].cure,
  });
}

function refusal(reason: string, successor: string): AppError {
  const code: TakeoverErrorCode = 'TAKEOVER_REFUSED';
  return new AppError(code, `Cannot hand over: ${reason}: received ${successor}`, {
    hint: TAKEOVER_ERRORS[code].cure,
  });
}
