/** `zerohop dns`: CoreDNS's flags, in CoreDNS's style, in front of `serve`. Fatal errors go to standard error, bare. */
import { AppError } from '../fault/app-error.ts';
import { versionLines } from '../serve/banner.ts';
import { describeFlags, type FlagTable, type ParsedFlags, parseGoFlags } from '../serve/go-flags.ts';
import { processEnvironment } from '../serve/process-environment.ts';
import { runServer } from '../serve/run-server.ts';

const FLAGS: FlagTable = {
  conf: { kind: 'string', default: '', help: 'Corefile to load; "stdin" reads a pipe' },
  'dns.port': { kind: 'int', default: '53', help: 'port of server blocks that name none' },
  p: { kind: 'int', default: '53', help: 'the same as -dns.port' },
  pidfile: { kind: 'string', default: '', help: 'file to write the process id to' },
  plugins: { kind: 'bool', default: 'false', help: 'list the plugins and exit' },
  quiet: { kind: 'bool', default: 'false', help: 'do not print zones and version at start' },
  version: { kind: 'bool', default: 'false', help: 'print the version and exit' },
};

const HELP = `Usage: zerohop dns [FLAGS]

Serves DNS as a Corefile says. Without one, answers clients with their own address.

${describeFlags(FLAGS)}`;

/** Ends the process itself once the server has stopped: nothing that lingers may keep it. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    const flags = parseGoFlags(args, FLAGS);
    const quick = await answerAtOnce(flags);
    if (quick !== undefined) return quick;
    const environment = processEnvironment(portOf(flags));
    const code = await runServer({
      conf: flags.text('conf'),
      pidfile: flags.text('pidfile'),
      quiet: flags.flag('quiet'),
      env: process.env,
      environment,
    });
    environment.sink.flush();
    return process.exit(code);
  } catch (error) {
    return reportFatal(error);
  }
}

async function answerAtOnce(flags: ParsedFlags): Promise<number | undefined> {
  if (flags.wantsHelp) console.log(HELP);
  else if (flags.rest.length > 0) {
    throw new AppError('SERVE_ARGUMENTS', `extra command line arguments: [${flags.rest.join(' ')}]`);
  } else if (flags.flag('version')) console.log(versionLines().join('\n'));
  else if (flags.flag('plugins')) console.log((await import('../plugins/order.ts')).BUILT_WORDS.join('\n'));
  else return undefined;
  return 0;
}

/** The last one given wins in Go; nobody gives both. */
function portOf(flags: ParsedFlags): number {
  const name = flags.isSet('p') ? 'p' : 'dns.port';
  const port = flags.int(name);
  if (port >= 0 && port <= 65535) return port;
  throw new AppError('SERVE_FLAGS', `invalid value "${port}" for flag -${name}: not a port`);
}

/** The message alone on its line, as scripts expect; what helps goes below. */
export function reportFatal(error: unknown): number {
  if (!(error instanceof AppError)) throw error;
  console.error(error.message);
  if (error.hint !== undefined) console.error(`  ${error.hint}`);
  return process.exit(error.code === 'SERVE_FLAGS' ? 2 : 1);
}
