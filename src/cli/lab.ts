/** `zerohop lab`: the two-node cluster on this machine, by hand or as a story. */
import type { Command } from './main.ts';
import { countFlag, createProgram, runProgram } from './program.ts';

interface TrialFlags {
  readonly list?: boolean;
  readonly udpRate: number;
  readonly tcpRate: number;
  readonly queries: number;
  readonly outage: number;
  readonly slack: number;
}

const DESCRIPTION = 'A two-node cluster made of network namespaces on this machine. Needs root.';

export const run: Command = async (args) => {
  let exitCode = 0;
  const program = createProgram('zerohop lab', DESCRIPTION).enablePositionalOptions();
  program
    .command('up')
    .description('bring the lab up and keep it up until Ctrl-C')
    .action(async () => {
      const { runLab } = await import('../lab/run-lab.ts');
      exitCode = await runLab(openPage);
    });
  program
    .command('story')
    .description('bring the lab up and show the two field reports in it, act by act')
    .option('--exit', 'tear the lab down afterwards, also on a terminal')
    .action(async (options: { exit?: boolean }) => {
      const { runStory } = await import('../lab/story/run-story.ts');
      exitCode = await runStory({ stay: process.stdout.isTTY === true && options.exit !== true, openPage });
    });
  program
    .command('down')
    .description('take away everything a lab left behind, also after a crash')
    .action(async () => {
      const { endLab } = await import('../lab/run-lab.ts');
      exitCode = await endLab();
    });
  program
    .command('exec')
    .description('run a command in a pod')
    .argument('<pod>')
    .argument('<command...>')
    .passThroughOptions()
    .action(async (pod: string, command: string[]) => {
      const { execInPod } = await import('../lab/exec.ts');
      // kubectl's habit: what follows `--` is the command.
      const words = command[0] === '--' ? command.slice(1) : command;
      const child = execInPod(pod, words, { stdio: 'inherit' });
      exitCode = await new Promise((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
    });
  program
    .command('logs')
    .description("print a pod's log")
    .argument('<pod>')
    .action(async (pod: string) => {
      const { podLog } = await import('../lab/exec.ts');
      process.stdout.write(podLog(pod));
    });
  program
    .command('kill')
    .description("kill -9 a pod's process; the lab starts it again")
    .argument('<pod>')
    .action(async (pod: string) => {
      const { killPod } = await import('../lab/exec.ts');
      console.log(`killed process ${killPod(pod)} of ${pod}`);
    });
  program
    .command('trials')
    .description(
      'what is lost when something dies: kills, hangs and replaces, under a steady load of DNS queries',
    )
    .argument('[name...]', 'only these; --list names all')
    .option('--list', 'say what there is')
    .option('--udp-rate <n>', 'queries per second over UDP of four pods together', countFlag, 1600)
    .option(
      '--tcp-rate <n>',
      'the same over TCP, most of them with a connection of their own',
      countFlag,
      400,
    )
    .option('--queries <n>', 'how many queries the rolling update lasts for', countFlag, 20_000)
    .option('--slack <ms>', 'what a machine that is busy with other things may take longer', countFlag, 0)
    .option('--outage <seconds>', 'how long the API server is gone', countFlag, 60)
    .action(async (names: readonly string[], options: TrialFlags) => {
      const { runTrials, TRIALS } = await import('../lab/trials/run-trials.ts');
      if (options.list === true) {
        for (const { name, what } of TRIALS) console.log(`${name.padEnd(20)} ${what}`);
        return;
      }
      const { udpRate, tcpRate, queries, outage, slack } = options;
      exitCode = await runTrials({
        ...{ only: names, udpRate, tcpRate, enough: queries },
        ...{ outageSeconds: outage, slackMs: slack },
      });
    });
  addHidden(program);
  return (await runProgram(program, args)) ?? exitCode;
};

/** The page of the lab that this process runs, at its usual port or, when that is taken, at any. */
async function openPage(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const [{ servePage, UI_PORT }, { openSeveral }, { hubbleSocket, NODES }] = await Promise.all([
    import('./ui.ts'),
    import('./page-source.ts'),
    import('../lab/topology.ts'),
  ]);
  const source = openSeveral(
    NODES.map((node) => ({ name: node.name, target: `unix://${hubbleSocket(node)}` })),
  );
  const page = await servePage(source, { port: UI_PORT, doctor: true }).catch(() =>
    servePage(source, { port: 0, doctor: true }),
  );
  return {
    url: page.url,
    async close() {
      await page.close();
      source.close();
    },
  };
}

/** The lab's own daemons; they are started in its namespaces and mean nothing elsewhere. */
function addHidden(program: ReturnType<typeof createProgram>): void {
  program.command('control', { hidden: true }).action(async () => {
    const { runControlPlane } = await import('../lab/control.ts');
    await runControlPlane();
  });
  program.command('internet', { hidden: true }).action(async () => {
    const [{ serveInternet }, { INTERNET }] = await Promise.all([
      import('../lab/internet.ts'),
      import('../lab/topology.ts'),
    ]);
    serveInternet(INTERNET.resolver);
    await new Promise(() => undefined);
  });
  program
    .command('load', { hidden: true })
    .requiredOption('--rate <n>')
    .requiredOption('--seconds <n>')
    .requiredOption('--server <address>')
    .requiredOption('--name <name>')
    .action(async (options: { rate: string; seconds: string; server: string; name: string }) => {
      const { printLoad } = await import('../lab/load/print-load.ts');
      await printLoad({ ...options, rate: Number(options.rate), seconds: Number(options.seconds) });
    });
  program
    .command('client', { hidden: true })
    .requiredOption('--server <address>')
    .requiredOption('--name <name>')
    .requiredOption('--udp-rate <n>')
    .requiredOption('--tcp-rate <n>')
    .requiredOption('--patience <ms>')
    .action(async (options: Record<'server' | 'name' | 'udpRate' | 'tcpRate' | 'patience', string>) => {
      const { runSteadyClient } = await import('../lab/load/steady-client.ts');
      await runSteadyClient({
        ...options,
        udpRate: Number(options.udpRate),
        tcpRate: Number(options.tcpRate),
        patienceMs: Number(options.patience),
      });
    });
  program
    .command('flood', { hidden: true })
    .requiredOption('--server <address>')
    .requiredOption('--ports <n>')
    .action(async (options: { server: string; ports: string }) => {
      const { floodFromPorts } = await import('../lab/load/port-flood.ts');
      await floodFromPorts(options.server, Number(options.ports));
    });
}
