/** `zerohop dns check` and `zerohop dns explain`: what a Corefile would do, without serving it. */
import type { Command } from './main.ts';
import { countFlag, createProgram, print, runProgram } from './program.ts';

interface PortFlag {
  readonly port: number;
}

const PORT = ['--port <port>', 'port of server blocks that name none', countFlag, 53] as const;

/** `args` begin with `check` or `explain`. */
export const run: Command = async (args) => {
  const program = createProgram('zerohop dns', 'Looks at a Corefile without serving it.');
  program
    .command('check')
    .description(
      'whether a Corefile is right, and what would listen; exit code 1 and the place when it is wrong',
    )
    .argument('[file]', 'the Corefile', 'Corefile')
    .option(...PORT)
    .action(async (conf: string, { port }: PortFlag) => {
      const { checkCorefile } = await import('../serve/process/dry-run.ts');
      await printLines(await checkCorefile({ conf, defaultPort: port, env: process.env }));
    });
  program
    .command('explain')
    .description('which block and which plugins, in order, would handle a question')
    .argument('<file>', 'the Corefile')
    .argument('<name>', 'the name that is asked for')
    .argument('[type]', 'the record type', 'A')
    .option(...PORT)
    .action(async (conf: string, name: string, type: string, { port }: PortFlag) => {
      const { explainCorefile } = await import('../serve/process/dry-run.ts');
      await printLines(await explainCorefile({ conf, defaultPort: port, env: process.env }, { name, type }));
    });
  return (await runProgram(program, args)) ?? 0;
};

async function printLines(lines: readonly string[]): Promise<void> {
  await print(`${lines.join('\n')}\n`);
}
