/** `--input-file` (spec hubble 2.2): what `-o json` wrote, one answer on a line, read again. Opening the file is its caller's. */
import type { GetFlowsResponse } from '../api.ts';
import { answerFromJson } from './flow-from-json.ts';

export interface ReadLinesOptions {
  /** Once for lines that are no answers and once for fields that nobody here knows, however many there are. */
  readonly warn: (text: string) => void;
}

/** Takes lines without their newlines. What cannot be read is left out, with a warning. */
export async function* readFlowLines(
  lines: AsyncIterable<string>,
  { warn }: ReadLinesOptions,
): AsyncGenerator<GetFlowsResponse, void, void> {
  const told = new Set<string>();
  const warnOnce = (what: string, text: string): void => {
    if (!told.has(what)) warn(text);
    told.add(what);
  };
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    const answer = answerFromJson(parseJson(line));
    if (answer === undefined) {
      warnOnce('line', `line ${number} is no flow: such lines are left out`);
      continue;
    }
    if (answer.leftOut !== undefined) {
      const field = JSON.stringify(answer.leftOut);
      warnOnce(
        'field',
        `line ${number} has a field that is not known here, ${field}: such fields are left out`,
      );
    }
    yield answer.response;
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // The caller says which line it is.
    return undefined;
  }
}
