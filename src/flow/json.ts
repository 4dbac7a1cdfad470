/** `-o json`: one GetFlowsResponse per line (spec hubble 3.4). Names and enums are already the proto's words. */
import type { GetFlowsResponse } from './api.ts';

/** One line without its newline. */
export function formatJson(response: GetFlowsResponse): string {
  return escapeSteering(JSON.stringify(response));
}

/**
 * What JSON.stringify leaves as it is and a reader may obey: C1 controls (to a terminal U+009B is ESC [), marks that turn
 * the direction of writing, and U+2028 and U+2029, at which some split lines. `json` may also be YAML in double quotes.
 */
export function escapeSteering(json: string): string {
  return json.replace(STEERING, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

const STEERING = /[\p{Cf}\u2028\u2029\u007f-\u009f]/gu;
