/** The flags of `zerohop observe`: the stock client's (spec hubble 2.2), and ours. */
import { createFlagCollector, FILTER_FLAGS, type FlagCollector } from '../../flow/flags/filter-flags.ts';
import type { ObserveFlags } from '../../flow/flags/flows-request.ts';
import { TIME_FORMATS } from '../../flow/print/time-format.ts';
import { collect, collectWhole, countFlag, createProgram } from '../program.ts';
import type { ServerFlags } from './server-flags.ts';

type Program = ReturnType<typeof createProgram>;

/** As the reader of flags gives them. */
export interface TypedFlags extends ObserveFlags, ServerFlags {
  readonly printRawFilters?: boolean;
  readonly node?: string;
  readonly output: string;
  readonly printNodeName?: boolean;
  readonly printPolicyNames?: boolean;
  readonly timeFormat: string;
  /** True without a value. */
  readonly ipTranslation?: string | boolean;
  readonly numeric?: boolean;
  readonly color: string;
  readonly useDefaultFieldMasks?: string | boolean;
  readonly experimentalFieldMask?: readonly string[];
  readonly silentErrors?: boolean;
  readonly debug?: boolean;
}

export interface ObserveProgram {
  readonly program: Program;
  /** Filter flags in the order typed. */
  readonly filters: FlagCollector;
}

const DESCRIPTION =
  'Show flows: what each packet and DNS message of the observed ports did.\n\n' +
  'Repeat a filter to allow more values; different filters must all hold. A pod is\n' +
  'NAME (of namespace default), NAMESPACE/NAME or NAMESPACE/; names match as\n' +
  'prefixes. --pod and --port mean either side, also together: --pod X --port 53\n' +
  'is the conversation of X on port 53.';

export function createObserveProgram(): ObserveProgram {
  const program = createProgram('zerohop observe', DESCRIPTION).argument(
    '[what]',
    'flows, agent-events or debug-events',
    'flows',
  );
  addSelectors(program);
  const filters = addFilters(program);
  addFormatting(program);
  addServer(program);
  return { program, filters };
}

/** Flags that take no value, long and with dashes: what `--flag=false` may be said of. */
export function isSwitch(program: Program, name: string): boolean {
  return program.options.some(({ long, required, optional }) => long === name && !required && !optional);
}

function addSelectors(program: Program): void {
  program
    .option('-f, --follow', 'keep showing what happens')
    .option(
      '--last <n>',
      'the newest N that match (20 unless another bound is given); with --since the first N since then',
      countFlag,
    )
    .option('--first <n>', 'the oldest N that match', countFlag)
    .option('--all', 'everything there is')
    .option('--since <time>', 'from then on: a duration back from now (30s, 1h5m) or a date (RFC 3339 …)')
    .option('--until <time>', 'up to then')
    .option('--input-file <file>', 'rows that -o json wrote instead of a server; - for standard input');
}

function addFilters(program: Program): FlagCollector {
  const collector = createFlagCollector();
  program.option('--not', 'the next filter is about what is not shown');
  program.on('option:not', () => collector.add('not'));
  for (const { name, short, argument, help } of FILTER_FLAGS) {
    const value = argument === undefined ? '' : ` <${argument}>`;
    program.option(`${short === undefined ? '' : `-${short}, `}--${name}${value}`, help);
    program.on(`option:${name}`, (text?: string | null) => collector.add(name, text ?? ''));
  }
  program
    .option('--allowlist <json>', 'a FlowFilter; more alternatives beside the filters above', collectWhole)
    .option('--denylist <json>', 'a FlowFilter; what matches is not shown', collectWhole)
    .option('--print-raw-filters', 'show the filters that would be sent, as YAML, and end')
    .option('--rcode <code>', 'answers with this code: NXDOMAIN, SERVFAIL, a number …', collect)
    .option('--slow <ms>', 'answers that took at least so many milliseconds')
    .option('--bypassed', 'queries of pods that entered no cache of their own node')
    .option('--kernel-answered', 'queries that the kernel answered by itself, and its answers')
    .option('--same-side', "--port beside an end's filter is that end's own port, as the stock client has it")
    .option('--node <name>', 'only what this node saw');
  return collector;
}

function addFormatting(program: Program): void {
  program
    .option('-o, --output <layout>', 'compact, dict, table, json, jsonpb', 'compact')
    .option('--print-node-name', 'the node that saw it')
    .option('--print-policy-names', 'the policies behind a verdict')
    .option('--time-format <format>', TIME_FORMATS.join(', '), 'StampMilli')
    .option('--ip-translation [bool]', 'names instead of addresses (true)')
    .option('--numeric', 'addresses instead of names')
    .option('--color <when>', 'auto, always, never', 'auto')
    .option('--field-mask <paths>', 'of each flow these fields alone; with -o json', collect)
    .option('--experimental-field-mask <paths>', 'the older name of --field-mask', collect)
    .option('--use-default-field-masks [bool]', 'ask for no more fields than are shown; not with -o json')
    .option('-s, --silent-errors', 'tell of no node that is away, and of no row that cannot be read')
    .option('-D, --debug', 'tell of nodes that come and go');
}

function addServer(program: Program): void {
  program
    .option(
      '--server <target>',
      "unix:///path, host:port or tls://host:port (or ZEROHOP_SERVER, HUBBLE_SERVER; this machine's agents)",
    )
    .option('--tls', 'the server speaks TLS')
    .option('--tls-ca-cert-files <file>', 'who may vouch for the server; repeated or with commas', collect)
    .option('--tls-server-name <name>', "in the server's certificate, when it is not the target's")
    .option('--tls-allow-insecure', 'believe whoever answers')
    .option('--tls-client-cert-file <file>', 'what the server is shown')
    .option('--tls-client-key-file <file>', 'the key that belongs to it')
    .option('--timeout <duration>', 'for the server to answer at all (5s)')
    .option('--request-timeout <duration>', 'for a question that has one answer (12s)');
}
