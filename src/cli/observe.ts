/** `zerohop observe`: flows of one node or of all the lab's, in Hubble's layouts. */
import { type DiscoveredAgent, discoverAgents } from '../agent/discover.ts';
import { followAgents } from '../agent/follow.ts';
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import { filterFlags } from '../flow/flags/filter-flags.ts';
import { flowsRequest, type ObserveFlags } from '../flow/flags/flows-request.ts';
import { formatCompact } from '../flow/print/compact.ts';
import type { PrintOptions } from '../flow/print/flow-words.ts';
import { formatJson } from '../flow/print/json.ts';
import { mergeByTime } from '../hubble/relay/merge-by-time.ts';
import { systemClock } from '../telemetry/clock.ts';
import type { Command } from './main.ts';
import {
  collect,
  collectWhole,
  countFlag,
  createProgram,
  endOnClosedPipe,
  print,
  runProgram,
  warn,
  warnOfSilence,
} from './program.ts';

interface Flags extends ObserveFlags {
  readonly output: string;
  readonly printNodeName?: boolean;
  readonly numeric?: boolean;
  readonly color: string;
  readonly server?: string;
  readonly node?: string;
}

/** How long a flow waits for those of other nodes when following several. */
const REORDER_WINDOW_MS = 100;

export const run: Command = async (args) => {
  const program = createProgram('zerohop observe', DESCRIPTION);
  addSelectors(program);
  addFormatting(program);
  let exitCode = 0;
  program.action(async (flags: Flags) => {
    exitCode = await observe(flags);
  });
  return (await runProgram(program, args)) ?? exitCode;
};

const DESCRIPTION =
  'Show flows: what each packet and DNS message of the observed ports did.\n' +
  'A pod is NAME (namespace default), NAMESPACE/NAME or NAMESPACE/; names match as prefixes.\n' +
  '--pod and --port mean either side, also together: --pod X --port 53 is the conversation of X on port 53.';

function addSelectors(program: ReturnType<typeof createProgram>): void {
  program
    .option('-f, --follow', 'keep showing what happens')
    .option('--last <n>', 'the newest N that match (20 unless another bound is given)', countFlag)
    .option('--first <n>', 'the oldest N that match', countFlag)
    .option('--all', 'everything the agent still has')
    .option('--since <time>', 'from then on: a duration back from now (30s, 1h5m) or an RFC 3339 time')
    .option('--until <time>', 'up to then')
    .option('--protocol <word>', 'udp, tcp, dns …', collect)
    .option('--port <port>', 'either side', collect)
    .option('--from-port <port>', 'the source', collect)
    .option('--to-port <port>', 'the destination', collect)
    .option('--pod <pod>', 'either side', collect)
    .option('--from-pod <pod>', 'the source', collect)
    .option('--to-pod <pod>', 'the destination', collect)
    .option('-n, --namespace <namespace>', 'either side, or the namespace of --pod', collect)
    .option('--ip <address>', 'either side: an address or a prefix', collect)
    .option('--verdict <word>', 'FORWARDED, TRACED, TRANSLATED …', collect)
    .option('-t, --type <type>', 'l7, trace, trace:to-endpoint, trace-sock …', collect)
    .option('--dns-query <regexp>', 'DNS messages whose name matches (RE2)', collectWhole)
    .option('--trace-id <id>', 'the whole way of one query, as -o json shows it: CLIENT:PORT/ID', collect);
}

function addFormatting(program: ReturnType<typeof createProgram>): void {
  program
    .option('-o, --output <layout>', 'compact, json', 'compact')
    .option('--print-node-name', 'the node that saw it')
    .option('--numeric', 'addresses instead of names')
    .option('--color <when>', 'auto, always, never', 'auto')
    .option('--server <socket>', 'the agent to ask: unix:///path (or ZEROHOP_SERVER)')
    .option('--node <name>', 'only the agent of this node');
}

async function observe(flags: Flags): Promise<number> {
  const print = printer(flags);
  const nowNs = BigInt(Math.round(systemClock.nowMs())) * 1_000_000n;
  const request = flowsRequest({ ...flags, filters: filterFlags(flags) }, nowNs);
  if (!request.ok) throw new AppError(request.code, `Cannot observe: ${request.reason ?? request.code}`);
  endOnClosedPipe();
  const agents = await discoverAgents({ ...flags, onSilent: warnOfSilence });
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  for await (const response of answers(agents, request.value, abort.signal)) await print(response);
  return 0;
}

function printer(flags: Flags): (response: GetFlowsResponse) => Promise<void> {
  if (flags.output === 'json' || flags.output === 'jsonpb') {
    return (response) => print(`${formatJson(response)}\n`);
  }
  if (flags.output !== 'compact') {
    const reason = `-o is compact or json: received ${JSON.stringify(flags.output)}`;
    throw new AppError('FLOW_REQUEST_INVALID', `Cannot observe: ${reason}`);
  }
  const terminal = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const options: PrintOptions = {
    printNodeName: flags.printNodeName ?? false,
    numeric: flags.numeric ?? false,
    color: flags.color === 'always' || (flags.color === 'auto' && terminal),
  };
  return (response) => print(`${formatCompact(response, options)}\n`);
}

const onGone = (node: string) =>
  warn(`the agent of ${node} has ended: following the others until it is back`);
const onBack = (node: string) => warn(`the agent of ${node} is back`);

async function* answers(
  agents: readonly DiscoveredAgent[],
  request: GetFlowsRequest,
  signal: AbortSignal,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const streams =
    request.follow === true
      ? followAgents(agents, { request, signal, clock: systemClock, onGone, onBack })
      : agents.map(({ client }) => client.flows(request, signal));
  const windowMs = request.follow === true ? REORDER_WINDOW_MS : Number.POSITIVE_INFINITY;
  const merged = mergeByTime(streams, { clock: systemClock, windowMs });
  const count = request.follow === true || agents.length === 1 ? 0 : Number(request.number ?? 0);
  if (count === 0) {
    yield* merged;
    return;
  }
  // Each agent gave its own newest or oldest N; the caller asked for N in all.
  const all: GetFlowsResponse[] = [];
  for await (const response of merged) all.push(response);
  yield* request.first === true ? all.slice(0, count) : all.slice(-count);
}
