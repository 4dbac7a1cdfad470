/** `-o json`: one GetFlowsResponse per line (spec hubble 3.4). Names and enums are already the proto's words. */
import type { GetFlowsResponse } from './api.ts';

/** One line without its newline. U+2028 and U+2029 are escaped, because some line readers split there. */
export function formatJson(response: GetFlowsResponse): string {
  return JSON.stringify(response).replace(/[\u2028\u2029\u007f-\u009f]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
