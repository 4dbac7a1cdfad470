/**
 * The side of the process that takes over: gets the sockets before it starts, the caches before it listens, and tells the
 * other one to go once it answers. Where nobody is left to take over from it starts as ever.
 */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { askAdmin } from '../../admin/admin-client.ts';
import type { AdminErrorCode } from '../../admin/errors.ts';
import { adminDirectory, isSocketAlive, listSockets } from '../../admin/socket-path.ts';
import { AppError, errorText } from '../../fault/app-error.ts';
import { InheritedSockets } from '../../server/inherited-sockets.ts';
import {
  type ChannelListener,
  type DescriptorChannel,
  listenForDescriptors,
} from '../../sys/descriptor-channel.ts';
import type { OwnSocket } from '../../sys/own-sockets.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Inheritance } from '../dns-server.ts';
import { importCaches, receivingCachesOf } from './cache-transfer.ts';
import { TAKEOVER_ERRORS, type TakeoverErrorCode } from './errors.ts';
import { decodeSockets, ownNetwork, RELEASE } from './wire.ts';

export interface TakeOverOptions {
  /** `auto`, a process id, or the path of an admin socket. */
  readonly from: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

export interface TakeOver extends Inheritance {
  /** The admin socket of the process before. */
  readonly path: string;
  /** This one answers: the other may go. */
  finish(): void;
  /** This one does not: the other goes on. Does nothing after `finish`. */
  abandon(): void;
}

/** Undefined when nobody is there. Rejects with an `AppError` when somebody is who cannot be taken over from. */
export async function beginTakeOver(options: TakeOverOptions): Promise<TakeOver | undefined> {
  const { log, from } = options;
  const path = await findPredecessor(options);
  const received = path === undefined ? undefined : await receiveSockets(path, log);
  if (path === undefined || received === undefined) {
    log.info(`Nobody to take over from (-takeover ${from}): starting as ever`);
    return undefined;
  }
  const { channel, sockets } = received;
  return {
    path,
    sockets: new InheritedSockets(sockets),
    async beforeServing(next) {
      try {
        const count = await importCaches(
          receivingCachesOf(next),
          askAdmin(path, { command: 'takeover caches', args: {} }),
        );
        log.info(`Taking over ${sockets.length} sockets and ${count} answers from ${path}`);
      } catch (error) {
        // The sockets are what matters; answers can be asked for again.
        log.warning(`Cannot take over the caches: ${errorText(error)}`);
      }
    },
    finish() {
      try {
        channel.send(new TextEncoder().encode(RELEASE));
      } catch {
        log.info('The process before had ended by itself');
      }
      channel.close();
    },
    abandon() {
      channel.close();
    },
  };
}

async function findPredecessor({ from, env }: TakeOverOptions): Promise<string | undefined> {
  if (from !== 'auto' && !/^\d+$/.test(from)) return (await isSocketAlive(from)) ? from : undefined;
  const alive = (await listSockets(adminDirectory(env))).filter(({ isAlive }) => isAlive);
  const wanted = from === 'auto' ? alive : alive.filter(({ pid }) => pid === Number(from));
  if (wanted.length <= 1) return wanted[0]?.path;
  const code: AdminErrorCode = 'ADMIN_SEVERAL';
  throw new AppError(code, `Cannot choose whom to take over from: ${wanted.length} run here`, {
    hint: `Name one: ${wanted.map(({ path }) => `-takeover ${path}`).join(' or ')}`,
  });
}

interface Received {
  readonly channel: DescriptorChannel;
  readonly sockets: readonly OwnSocket[];
}

/** Undefined when the other process has gone meanwhile. */
async function receiveSockets(path: string, log: Log): Promise<Received | undefined> {
  const name = `.takeover-${randomUUID().slice(0, 8)}`;
  const file = join(dirname(path), name);
  const listener = openListener(file);
  try {
    const args = { channel: name, successor: String(process.pid), network: ownNetwork() };
    for await (const line of askAdmin(path, { command: 'takeover sockets', args })) log.debug(line);
    return takeSockets(listener, path);
  } catch (error) {
    const code = error instanceof AppError ? error.code : '';
    if (code === ('TAKEOVER_ELSEWHERE' satisfies TakeoverErrorCode)) log.warning(errorText(error));
    else if (code !== ('ADMIN_UNREACHABLE' satisfies AdminErrorCode)) throw error;
    return undefined;
  } finally {
    listener.close();
    rmSync(file, { force: true });
  }
}

/** Everything has been sent before the answer came. */
function takeSockets(listener: ChannelListener, path: string): Received {
  const channel = listener.accept();
  if (channel === undefined) throw channelFault('nobody connected', path);
  const sockets: OwnSocket[] = [];
  for (;;) {
    const received = channel.receive();
    const message = typeof received === 'string' ? undefined : decodeSockets(received.bytes);
    if (typeof received === 'string' || message?.sockets.length !== received.fds.length) {
      channel.close();
      throw channelFault('what came is not what was asked for', path);
    }
    sockets.push(...message.sockets.map((socket, i) => ({ ...socket, fd: received.fds[i] ?? -1 })));
    if (message.last) return { channel, sockets };
  }
}

function openListener(file: string): ChannelListener {
  try {
    return listenForDescriptors(file);
  } catch (error) {
    throw channelFault(errorText(error), basename(file));
  }
}

function channelFault(reason: string, received: string): AppError {
  const code: TakeoverErrorCode = 'TAKEOVER_CHANNEL';
  return new AppError(code, `Cannot take over: ${reason}: received ${received}`, {
    hint: TAKEOVER_ERRORS[code].cure,
  });
}
