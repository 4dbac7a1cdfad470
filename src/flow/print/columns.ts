/** The rows that dict and table share (spec hubble 3.2, 3.3): the same columns in the same order, sides never swapped. */
import type { GetFlowsResponse } from '../api.ts';
import { escapeControls } from './escape.ts';
import { endText, type PrintOptions, summaryText, typeText, verdictText } from './flow-words.ts';
import { formatTimestamp } from './time-format.ts';

export type Column = 'TIMESTAMP' | 'NODE' | 'SOURCE' | 'DESTINATION' | 'TYPE' | 'VERDICT' | 'SUMMARY';
/** A column that the row has no word for is absent. */
export type Row = Readonly<Partial<Record<Column, string>>>;

export function columnsOf({ printNodeName = false }: PrintOptions): readonly Column[] {
  const rest = ['SOURCE', 'DESTINATION', 'TYPE', 'VERDICT', 'SUMMARY'] as const;
  return printNodeName ? ['TIMESTAMP', 'NODE', ...rest] : ['TIMESTAMP', ...rest];
}

/** Undefined for what is neither a flow nor a loss. */
export function rowOf(response: GetFlowsResponse, options: PrintOptions): Row | undefined {
  const { flow, lost_events: lost, node_name: node } = response;
  const head = {
    TIMESTAMP: formatTimestamp(flow?.time ?? response.time, options.timeFormat),
    NODE: escapeControls(node),
  };
  if (flow !== undefined) {
    return {
      ...head,
      SOURCE: endText(flow, 'source', options),
      DESTINATION: endText(flow, 'destination', options),
      TYPE: typeText(flow),
      VERDICT: verdictText(flow, options),
      SUMMARY: summaryText(flow),
    };
  }
  if (lost === undefined) return undefined;
  const summary = `CPU(${lost.cpu ?? 0}) - ${lost.num_events_lost}`;
  return {
    ...head,
    SOURCE: escapeControls(lost.source),
    TYPE: 'EVENTS LOST',
    VERDICT: '',
    SUMMARY: escapeControls(summary),
  };
}
