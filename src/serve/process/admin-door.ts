/**
 * The admin socket of this process: where it is, and that it goes with the process, however that ends. Where nobody has
 * asked for one and none can be made, the server does without.
 */
import { statSync } from 'node:fs';
import { type AdminCommand, type AdminServer, openAdminServer } from '../../admin/admin-server.ts';
import { ADMIN_ERRORS } from '../../admin/errors.ts';
import { adminDirectory, isSocketAlive, prepareSocketPath } from '../../admin/socket-path.ts';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Log } from '../../telemetry/log.ts';

/** `-admin-socket` unless it is given: a path of this process alone. */
export const AUTOMATIC = 'auto';

export interface AdminDoorOptions {
  /** `auto`, empty for none, or a path. */
  readonly socket: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly commands: Readonly<Record<string, AdminCommand>>;
  readonly log: Log;
  /** The socket of a process that this one takes over from: only that one may be replaced. */
  readonly replaces?: string;
}

/** Rejects with ADMIN_LISTEN when the path was given. */
export async function openAdminDoor(options: AdminDoorOptions): Promise<AdminServer | undefined> {
  const { socket, env, log } = options;
  if (socket === '') return undefined;
  if (socket !== AUTOMATIC) return open(socket, options);
  try {
    return await open(await prepareSocketPath(adminDirectory(env), process.pid), options);
  } catch (error) {
    log.debug(`No admin socket: ${errorText(error)}`);
    return undefined;
  }
}

async function open(path: string, { commands, replaces }: AdminDoorOptions): Promise<AdminServer> {
  if (statSync(path, { throwIfNoEntry: false })?.isSocket() === false)
    throw refused('this is no socket', path);
  if (path !== replaces && (await isSocketAlive(path))) throw refused('another server has it', path);
  const server = await openAdminServer({ path, commands });
  process.on('exit', server.remove);
  return server;
}

function refused(reason: string, path: string): AppError {
  return new AppError('ADMIN_LISTEN', `Cannot open the admin socket: ${reason}: received ${path}`, {
    hint: ADMIN_ERRORS.ADMIN_LISTEN.cure,
  });
}
