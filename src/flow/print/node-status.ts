/** What a relay tells about the nodes behind it, for standard error (spec hubble 3.5). */
import type { GetFlowsResponse, NodeStatusEvent } from '../api.ts';
import { dictLine } from './dict.ts';
import { escapeControls } from './escape.ts';
import type { PrintOptions } from './flow-words.ts';
import { formatTimestamp } from './time-format.ts';

/** Troubles are told to everybody, comings and goings to who looks for them. */
export function isTrouble({ state_change: state }: NodeStatusEvent): boolean {
  return state === 'NODE_UNAVAILABLE' || state === 'NODE_ERROR';
}

/** One line without its newline, as compact and table show it. */
export function formatNodeStatus(
  response: GetFlowsResponse,
  status: NodeStatusEvent,
  options: PrintOptions,
): string {
  const count = status.node_names.length;
  const time = formatTimestamp(response.time, options.timeFormat);
  const nodes = namesText(status);
  return `${time} [${escapeControls(response.node_name)}]: ${eventText(status, count)}: ${nodes}`;
}

function eventText({ state_change: state, message = '' }: NodeStatusEvent, count: number): string {
  switch (state) {
    case 'NODE_CONNECTED':
      return `Receiving flows from ${count} nodes`;
    case 'NODE_UNAVAILABLE':
      return `${count} nodes are unavailable`;
    case 'NODE_GONE':
      return `${count} nodes removed from cluster`;
    case 'NODE_ERROR':
      return `Error ${quoted(message)} on ${count} nodes`;
    default:
      return `unknown node status event ${escapeControls(state)} of ${count} nodes`;
  }
}

/** Whole lines. */
export function formatNodeStatusDict(
  response: GetFlowsResponse,
  status: NodeStatusEvent,
  options: PrintOptions,
): string {
  const { message = '' } = status;
  return [
    dictLine('TIMESTAMP', formatTimestamp(response.time, options.timeFormat)),
    dictLine('STATE', escapeControls(status.state_change)),
    dictLine('NODES', namesText(status)),
    dictLine('MESSAGE', message === '' ? 'N/A' : quoted(message)),
  ].join('');
}

function quoted(text: string): string {
  return escapeControls(JSON.stringify(text));
}

const MAX_CHARACTERS = 50;

/** Cut at about fifty characters, one name at least. */
function namesText({ node_names: names }: NodeStatusEvent): string {
  let length = 0;
  const over = names.findIndex((name, at) => {
    length += name.length + ', '.length;
    return at > 0 && length > MAX_CHARACTERS;
  });
  const shown = over < 0 ? names : names.slice(0, over);
  const more = over < 0 ? '' : ` (and ${names.length - over} more)`;
  return `${escapeControls(shown.join(', '))}${more}`;
}
