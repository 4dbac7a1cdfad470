/** `zerohop ui`: the page on loopback, until a signal ends it. */
import { fileURLToPath } from 'node:url';
import { askDoctorCommand } from '../ui/doctor-command.ts';
import { startUiServer, type UiServer } from '../ui/ui-server.ts';
import type { Command } from './main.ts';
import { addSourceFlags, openPageSource, type PageSource, type SourceFlags } from './page-source.ts';
import { countFlag, createProgram, runProgram } from './program.ts';

interface Flags extends SourceFlags {
  readonly port: number;
  readonly host: string;
  readonly doctor: boolean;
}

/** Hubble's own page has it, too. */
export const UI_PORT = 12_000;
const MAIN = fileURLToPath(new URL('boot/zerohop.mjs', import.meta.url));

const DESCRIPTION =
  'Serves a page on loopback: the way of the queries of each pod, live, with flows and the doctor. Prints the address to\n' +
  'open, with the key that it takes; every start has another key. Without --server it shows the agents of this machine.';

export const run: Command = async (args) => {
  const program = createProgram('zerohop ui', DESCRIPTION)
    .option('--port <n>', 'where to listen; 0: any free port', countFlag, UI_PORT)
    .option('--host <address>', 'an address of loopback', '127.0.0.1')
    .option('--no-doctor', 'never send probes');
  addSourceFlags(program);
  return (await runProgram(program.action(runUi), args)) ?? 0;
};

async function runUi(flags: Flags): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  const source = await openPageSource(flags);
  const { host, port, doctor } = flags;
  const server = await servePage(source, { host, port, doctor }).catch((error: unknown) => {
    source.close();
    throw error;
  });
  console.log(`The page shows ${source.whom}; Ctrl-C ends it:\n\n  ${server.url}\n`);
  // Nothing that waits for flows holds a process up.
  const alive = setInterval(() => undefined, 0x7fff_ffff);
  await ended;
  clearInterval(alive);
  await server.close();
  source.close();
}

export interface PageOptions {
  readonly host?: string;
  readonly port: number;
  readonly doctor: boolean;
}

export function servePage(source: PageSource, { doctor, ...listen }: PageOptions): Promise<UiServer> {
  const { flows, status, nodes } = source;
  const asked = () => askDoctorCommand([process.execPath, MAIN, 'doctor', '-o', 'json']);
  return startUiServer({ source: { flows, status, nodes, ...(doctor ? { doctor: asked } : {}) }, ...listen });
}
