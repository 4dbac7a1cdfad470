/** `-o json`: one GetFlowsResponse per line (spec hubble 3.4). Names and enums are already the proto's words. */
import type { Flow, GetFlowsResponse } from '../api.ts';
import { escapeSteering } from './escape.ts';

/** A field mask may have left of the flow a part. */
type Masked = Omit<GetFlowsResponse, 'flow'> & { readonly flow?: Partial<Flow> };

/** One line without its newline. What the answer is about comes first, as in the stock CLI's lines. */
export function formatJson({ flow, lost_events, node_status, ...rest }: Masked): string {
  return textOf({ flow, lost_events, node_status, ...rest });
}

/** The same of a flow alone. */
export function formatFlowJson(flow: Partial<Flow>): string {
  return textOf(flow);
}

function textOf(value: object): string {
  return escapeSteering(JSON.stringify(value));
}
