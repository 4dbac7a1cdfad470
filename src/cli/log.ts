/** `zerohop log`: how much a running server tells, by its admin socket. */
import { askAdmin, findAdminSocket } from '../admin/admin-client.ts';
import type { Command } from './main.ts';
import { createProgram, endOnClosedPipe, print, runProgram } from './program.ts';

interface SocketFlag {
  readonly socket?: string;
}

export const run: Command = async (args) => {
  const program = createProgram('zerohop log', 'How much a running DNS server tells.');
  program
    .command('level')
    .description('shows the least that is logged, or sets it: lines about queries are of the level info')
    .argument('[level]', 'debug, info, warning or error; until the process ends')
    .option('--socket <path>', 'the server to ask; needed only where several run')
    .action(async (level: string | undefined, flags: SocketFlag) => {
      endOnClosedPipe();
      const path = await findAdminSocket({ ...flags, env: process.env });
      const request = { command: 'log level', args: level === undefined ? {} : { level } };
      for await (const line of askAdmin(path, request)) await print(`${line}\n`);
    });
  return (await runProgram(program, args)) ?? 0;
};
