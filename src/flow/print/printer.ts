/** What `observe` prints of each answer, in the layout asked for: text for standard output and for standard error. */
import { fail, ok, type Result } from '../../fault/result.ts';
import type { GetFlowsResponse, NodeStatusEvent } from '../api.ts';
import { formatCompact } from './compact.ts';
import { DICT_SEPARATOR, formatDict } from './dict.ts';
import { createFlowMask } from './field-mask.ts';
import type { PrintOptions } from './flow-words.ts';
import { formatFlowJson, formatJson } from './json.ts';
import { formatNodeStatus, formatNodeStatusDict, isTrouble } from './node-status.ts';
import { formatTable } from './table.ts';

const LAYOUTS: Readonly<Record<string, Layout>> = {
  compact: 'compact',
  dict: 'dict',
  json: 'json',
  jsonpb: 'json',
  tab: 'table',
  table: 'table',
};
export type Layout = 'compact' | 'dict' | 'json' | 'table';

export interface PrinterOptions extends PrintOptions {
  /** As typed: compact, dict, json, jsonpb, table, tab. */
  readonly output: string;
  readonly follow?: boolean;
  readonly fieldMask?: readonly string[];
  /** Nothing for standard error. */
  readonly silent?: boolean;
  /** Nodes that come and go, too. */
  readonly debug?: boolean;
  /** JSON of a flow alone, without what is around it, as old stock clients wrote it. */
  readonly bareFlows?: boolean;
}

/** Whole lines; either may be empty. */
export interface Printed {
  readonly out: string;
  readonly err: string;
}

export interface FlowPrinter {
  print(response: GetFlowsResponse): Printed;
  /** What can only be said at the end: the table, which holds every row until then. */
  end(): string;
}

export function createFlowPrinter(options: PrinterOptions): Result<FlowPrinter> {
  const { output, follow = false, fieldMask = [] } = options;
  const layout = Object.hasOwn(LAYOUTS, output.toLowerCase()) ? LAYOUTS[output.toLowerCase()] : undefined;
  if (layout === undefined) {
    return refuse(`-o is compact, dict, json, jsonpb or table: received ${JSON.stringify(output)}`);
  }
  if (layout === 'table' && follow)
    return refuse('a table needs all its rows: -o table cannot be combined with --follow');
  if (layout !== 'json' && fieldMask.length > 0) return refuse('--field-mask is for -o json only');
  return ok(PRINTERS[layout](options));
}

function refuse(reason: string): ReturnType<typeof fail> {
  return fail('FLOW_REQUEST_INVALID', undefined, reason);
}

const PRINTERS: Readonly<Record<Layout, (options: PrinterOptions) => FlowPrinter>> = {
  compact: (options) => ({
    print(response) {
      const { node_status: status } = response;
      if (status !== undefined) return { out: '', err: statusLine(response, status, options) };
      return { out: isNothing(response) ? '' : `${formatCompact(response, options)}\n`, err: '' };
    },
    end: () => '',
  }),
  dict: createDictPrinter,
  json: createJsonPrinter,
  table: createTablePrinter,
};

/** A kind of answer that is newer than we are. */
function isNothing({ flow, lost_events: lost }: GetFlowsResponse): boolean {
  return flow === undefined && lost === undefined;
}

function statusLine(response: GetFlowsResponse, status: NodeStatusEvent, options: PrinterOptions): string {
  return isShown(status, options) ? `${formatNodeStatus(response, status, options)}\n` : '';
}

function isShown(status: NodeStatusEvent, { silent = false, debug = false }: PrinterOptions): boolean {
  return !silent && (debug || isTrouble(status));
}

/** Both streams count for the separator: they mostly end on one terminal. */
function createDictPrinter(options: PrinterOptions): FlowPrinter {
  let records = 0;
  const separated = (text: string): string => {
    if (text === '') return '';
    return records++ === 0 ? text : `${DICT_SEPARATOR}${text}`;
  };
  return {
    print(response) {
      const { node_status: status } = response;
      if (status === undefined) return { out: separated(formatDict(response, options)), err: '' };
      const told = isShown(status, options) ? formatNodeStatusDict(response, status, options) : '';
      return { out: '', err: separated(told) };
    },
    end: () => '',
  };
}

function createJsonPrinter(options: PrinterOptions): FlowPrinter {
  const { fieldMask = [], bareFlows = false } = options;
  const mask = fieldMask.length === 0 ? undefined : createFlowMask(fieldMask);
  return {
    print(response) {
      const { node_status: status, flow } = response;
      if (status !== undefined) {
        return { out: '', err: isShown(status, options) ? `${formatJson(response)}\n` : '' };
      }
      if (flow === undefined) return { out: bareFlows ? '' : `${formatJson(response)}\n`, err: '' };
      const shown = mask === undefined ? flow : mask(flow);
      const text = bareFlows ? formatFlowJson(shown) : formatJson({ ...response, flow: shown });
      return { out: `${text}\n`, err: '' };
    },
    end: () => '',
  };
}

function createTablePrinter(options: PrinterOptions): FlowPrinter {
  const rows: GetFlowsResponse[] = [];
  return {
    print(response) {
      const { node_status: status } = response;
      if (status !== undefined) return { out: '', err: statusLine(response, status, options) };
      rows.push(response);
      return { out: '', err: '' };
    },
    end: () => formatTable(rows, options),
  };
}
