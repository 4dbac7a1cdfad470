/**
 * The command line's first word picks a command; each lives in a file of its own, loaded only when asked for, because a
 * per-node daemon should not pay for the code of the others. A command owns its flags and its help.
 */
import { AppError } from '../fault/app-error.ts';
import { explain } from './report-fatal.ts';

/** Takes the words after the command's name, gives the exit code. Throws `AppError` for what an operator can mend. */
export type Command = (args: readonly string[]) => Promise<number>;

interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ run: Command }>;
  /** Started by other commands alone. */
  readonly hidden?: true;
}

const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  dns: { summary: 'DNS server, a drop-in for CoreDNS', load: () => import('./dns.ts') },
  'node-cache': {
    summary: 'DNS cache of a node, a drop-in for NodeLocal DNSCache',
    load: () => import('./node-cache.ts'),
  },
  cache: { summary: 'what a running DNS server remembers', load: () => import('./cache.ts') },
  log: { summary: 'how much a running DNS server tells', load: () => import('./log.ts') },
  agent: { summary: 'redirect and observe DNS on this node', load: () => import('./agent.ts') },
  status: {
    summary: "how this node's agent is doing; exit code 1 unless ready",
    load: () => import('./status.ts'),
  },
  observe: { summary: 'show flows', load: () => import('./observe.ts') },
  relay: { summary: "Hubble's API for a whole cluster", load: () => import('./relay.ts') },
  ui: { summary: 'a page of the flows, on loopback', load: () => import('./ui.ts') },
  doctor: {
    summary: 'why queries of pods do or do not enter the cache of their node',
    load: () => import('./doctor/doctor.ts'),
  },
  lrp: { summary: 'list local redirect policies', load: () => import('./lrp.ts') },
  service: { summary: 'list the service table', load: () => import('./service.ts') },
  bpf: { summary: "list the redirects in the kernel's own maps", load: () => import('./bpf.ts') },
  lab: {
    summary: 'a two-node cluster of network namespaces on this machine',
    load: () => import('./lab.ts'),
  },
  'doctor-node': {
    summary: 'what doctor starts on a node',
    load: () => import('./doctor/doctor-node.ts'),
    hidden: true,
  },
};

const USAGE = `Usage: zerohop COMMAND [FLAGS]

${Object.entries(COMMANDS)
  .filter(([, { hidden }]) => hidden !== true)
  .map(([name, entry]) => `  ${name.padEnd(12)}${entry.summary}`)
  .join('\n')}

zerohop COMMAND --help tells more.`;

async function main(args: readonly string[]): Promise<number> {
  const [word = '--help', ...rest] = args;
  if (word === '--help' || word === '-h' || word === 'help') {
    console.log(USAGE);
    return 0;
  }
  const entry = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
  if (entry === undefined) {
    console.error(`zerohop: Cannot run ${JSON.stringify(word)}: there is no such command\n\n${USAGE}`);
    return 1;
  }
  const { run } = await entry.load();
  return run(rest);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  console.error(explain(error));
  process.exitCode = 1;
}
