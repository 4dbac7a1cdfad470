/** `zerohop observe`: flows of a node, of this machine's nodes or of a cluster, in Hubble's layouts, by Hubble's API. */
import { AppError } from '../fault/app-error.ts';
import type { GetFlowsRequest, GetFlowsResponse } from '../flow/api.ts';
import type { FilterFlag } from '../flow/flags/filter-flags.ts';
import { flowsRequest } from '../flow/flags/flows-request.ts';
import { formatRawFilters } from '../flow/flags/raw-filters.ts';
import { DEFAULT_FIELD_MASK } from '../flow/print/field-mask.ts';
import { createFlowPrinter, type FlowPrinter } from '../flow/print/printer.ts';
import { parseTimeFormat, TIME_FORMATS } from '../flow/print/time-format.ts';
import { systemClock } from '../telemetry/clock.ts';
import type { Command } from './main.ts';
import { printEvents } from './observe/events.ts';
import { openFlowSource } from './observe/flow-source.ts';
import { flowsOfFile } from './observe/input-file.ts';
import { createObserveProgram, isSwitch, type TypedFlags } from './observe/observe-program.ts';
import { chooseServer, type ServerChoice } from './observe/server-flags.ts';
import { fromEnvironment, isTrue, plainFlags } from './observe/stock-flags.ts';
import { endOnClosedPipe, print, runProgram, untilTold, warn } from './program.ts';

export const run: Command = async (args) => {
  const { program, filters } = createObserveProgram();
  program.action(async (what: string, flags: TypedFlags) => {
    const typed = filters.finish();
    if (!typed.ok) throw invalid(typed.reason ?? typed.code);
    if (what === 'flows') await observe(flags, typed.value);
    else if (what === 'agent-events' || what === 'debug-events') await printEvents(what, flags);
    else throw invalid(`there are flows, agent-events and debug-events: received ${JSON.stringify(what)}`);
  });
  const plain = plainFlags(args, (name) => isSwitch(program, name));
  return (await runProgram(program, plain)) ?? 0;
};

function invalid(reason: string): AppError {
  return new AppError('FLOW_REQUEST_INVALID', `Cannot observe: ${reason}`);
}

async function observe(flags: TypedFlags, filters: readonly FilterFlag[]): Promise<void> {
  const choice = chooseServer(flags, process.env);
  const printer = printerOf(flags);
  const request = requestOf(flags, withNode(flags, filters, choice.target !== undefined));
  endOnClosedPipe();
  if (flags.printRawFilters === true) {
    await print(formatRawFilters(request));
    return;
  }
  const told = untilTold();
  try {
    await show(await flowsOf(flags, request, choice, told.signal), printer);
  } finally {
    told.forget();
  }
}

/** Of the file, or of whom we ask. */
async function flowsOf(
  { inputFile: path, node, silentErrors }: TypedFlags,
  request: GetFlowsRequest,
  choice: ServerChoice,
  signal: AbortSignal,
): Promise<AsyncIterable<GetFlowsResponse>> {
  if (path !== undefined)
    return flowsOfFile({ path, request, signal, warn: silentErrors === true ? () => undefined : warn });
  const source = await openFlowSource(choice, node);
  return closing(source.flows(request, signal), () => source.close());
}

async function* closing(
  responses: AsyncIterable<GetFlowsResponse>,
  close: () => void,
): AsyncGenerator<GetFlowsResponse, void, void> {
  try {
    yield* responses;
  } finally {
    close();
  }
}

async function show(responses: AsyncIterable<GetFlowsResponse>, printer: FlowPrinter): Promise<void> {
  for await (const response of responses) {
    const { out, err } = printer.print(response);
    if (err !== '') process.stderr.write(err);
    if (out !== '') await print(out);
  }
  await print(printer.end());
}

/** Whoever is asked as a server may be a relay, which has flows of all nodes; an agent that was found is the node's own. */
function withNode(
  { node, inputFile }: TypedFlags,
  filters: readonly FilterFlag[],
  isNamed: boolean,
): readonly FilterFlag[] {
  if (node === undefined || !(isNamed || inputFile !== undefined)) return filters;
  return [...filters, { name: 'node-name', value: node }];
}

function requestOf(flags: TypedFlags, filters: readonly FilterFlag[]): GetFlowsRequest {
  const nowNs = BigInt(Math.round(systemClock.nowMs())) * 1_000_000n;
  const { follow, fieldMask: _, ...rest } = flags;
  // A file has an end.
  const following = follow === true && flags.inputFile === undefined ? { follow } : {};
  const request = flowsRequest({ ...rest, ...following, filters, fieldMask: maskOf(flags) }, nowNs);
  if (!request.ok) throw new AppError(request.code, `Cannot observe: ${request.reason ?? request.code}`);
  return request.value;
}

function isJson({ output }: TypedFlags): boolean {
  return /^json(pb)?$/i.test(output);
}

function maskOf(flags: TypedFlags): readonly string[] {
  const paths = [...(flags.fieldMask ?? []), ...(flags.experimentalFieldMask ?? [])];
  if (paths.length > 0 || isJson(flags)) return paths;
  return isTrue('--use-default-field-masks', flags.useDefaultFieldMasks ?? false) ? DEFAULT_FIELD_MASK : [];
}

function printerOf(flags: TypedFlags): FlowPrinter {
  const timeFormat = parseTimeFormat(flags.timeFormat);
  if (timeFormat === undefined)
    throw invalid(
      `--time-format is one of ${TIME_FORMATS.join(', ')}: received ${JSON.stringify(flags.timeFormat)}`,
    );
  const printer = createFlowPrinter({
    ...{ output: flags.output, timeFormat, color: isColored(flags.color) },
    follow: flags.follow === true && flags.inputFile === undefined,
    fieldMask: [...(flags.fieldMask ?? []), ...(flags.experimentalFieldMask ?? [])],
    printNodeName: flags.printNodeName ?? false,
    printPolicyNames: flags.printPolicyNames ?? false,
    numeric: flags.numeric === true || !isTrue('--ip-translation', flags.ipTranslation ?? true),
    silent: flags.silentErrors ?? false,
    debug: flags.debug ?? isTrue('--debug', fromEnvironment('debug', process.env) ?? false),
    bareFlows: process.env.HUBBLE_COMPAT === 'legacy-json-output',
  });
  if (!printer.ok) throw invalid(printer.reason ?? printer.code);
  return printer.value;
}

function isColored(when: string): boolean {
  if (when === 'always' || when === 'never') return when === 'always';
  if (when !== 'auto') throw invalid(`--color is auto, always or never: received ${JSON.stringify(when)}`);
  return process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
}
