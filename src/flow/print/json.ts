/** `-o json`: one GetFlowsResponse per line (spec hubble 3.4). Names and enums are already the proto's words. */
import type { Flow, GetFlowsResponse } from '../api.ts';
import { escapeSteering } from './escape.ts';

/** A field mask may have left of the flow a part. */
type Masked = Omit<GetFlowsResponse, 'flow'> & { readonly flow?: Partial<Flow> };

/** One line without its newline. */
export function formatJson(response: Masked | Partial<Flow>): string {
  return escapeSteering(JSON.stringify(response));
}
