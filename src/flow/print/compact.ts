/**
 * Hubble's compact line, byte for byte (spec hubble 3.1, 3.5): `TIME[ [NODE]]: SRC (ID) ARROW DST (ID) TYPE VERDICT (SUMMARY)`.
 * A reply swaps its sides so that the initiator stays on the left.
 */
import type { Flow, GetFlowsResponse, LostEvents } from '../api.ts';
import { escapeControls } from './escape.ts';
import {
  endText,
  identityText,
  type PrintOptions,
  summaryText,
  typeText,
  verdictText,
} from './flow-words.ts';
import { formatTimestamp } from './time-format.ts';

/** One line without its newline. */
export function formatCompact(response: GetFlowsResponse, options: PrintOptions = {}): string {
  const time = formatTimestamp(response.flow?.time ?? response.time, options.timeFormat);
  const node = options.printNodeName === true ? ` [${escapeControls(response.node_name)}]` : '';
  if (response.flow === undefined) return `${time}${node} ${formatLost(response.lost_events, options)}`;
  return `${time}${node}: ${formatFlow(response.flow, options)}`;
}

function formatLost(lost: LostEvents | undefined, options: PrintOptions): string {
  const {
    source = 'UNKNOWN_LOST_EVENT_SOURCE',
    num_events_lost: count = '0',
    cpu = 0,
    first,
    last,
  } = lost ?? {};
  const at = (time: string) => formatTimestamp(time, options.timeFormat);
  const span = first === undefined || last === undefined ? '' : ` (first: ${at(first)}, last: ${at(last)})`;
  return escapeControls(`EVENTS LOST: ${source} CPU(${cpu}) ${count}${span}`);
}

function formatFlow(flow: Flow, options: PrintOptions): string {
  const [source, destination] = (['source', 'destination'] as const).map(
    (side) => `${endText(flow, side, options)} ${identityText(flow, side, options)}`,
  );
  const ends =
    flow.is_reply === undefined
      ? `${source} <> ${destination}`
      : flow.is_reply
        ? `${destination} <- ${source}`
        : `${source} -> ${destination}`;
  return `${ends} ${typeText(flow)} ${verdictText(flow, options)} (${summaryText(flow)})`;
}
