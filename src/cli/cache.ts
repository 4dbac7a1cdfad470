/** `zerohop cache`: what a running server remembers, by its admin socket. */
import { askAdmin, findAdminSocket } from '../admin/admin-client.ts';
import type { AdminRequest } from '../admin/wire.ts';
import type { Command } from './main.ts';
import { createProgram, endOnClosedPipe, print, runProgram } from './program.ts';

interface SocketFlag {
  readonly socket?: string;
}

const SOCKET = ['--socket <path>', 'the server to ask; needed only where several run'] as const;

export const run: Command = async (args) => {
  const program = createProgram('zerohop cache', 'What a running DNS server remembers.');
  program
    .command('dump')
    .description('every entry: name, type, class, what is left of its TTL')
    .option(...SOCKET)
    .action((flags: SocketFlag) => ask(flags, { command: 'cache dump', args: {} }));
  program
    .command('lookup')
    .description('the entries of one name, with their records')
    .argument('<name>')
    .option(...SOCKET)
    .action((name: string, flags: SocketFlag) => ask(flags, { command: 'cache lookup', args: { name } }));
  program
    .command('flush')
    .description('forgets the entries of one name')
    .argument('<name>')
    .option('--below', 'and of every name below it; of . everything')
    .option(...SOCKET)
    .action((name: string, { below = false, ...flags }: SocketFlag & { below?: boolean }) =>
      ask(flags, { command: 'cache flush', args: { name, below } }),
    );
  program
    .command('stats')
    .description('memory in use, and of each cache what it holds and what it was asked')
    .option(...SOCKET)
    .action((flags: SocketFlag) => ask(flags, { command: 'cache stats', args: {} }));
  return (await runProgram(program, args)) ?? 0;
};

async function ask(flags: SocketFlag, request: AdminRequest): Promise<void> {
  endOnClosedPipe();
  const path = await findAdminSocket({ ...flags, env: process.env });
  for await (const line of askAdmin(path, request)) await print(`${line}\n`);
}
