/** Lines of a text that comes in pieces. One without end is refused before it fills the memory. */
import { AppError } from '../../fault/app-error.ts';

/** A flow is about a kilobyte. */
const MOST_CHARACTERS = 1 << 20;

/** Without their newlines. Throws `AppError` FLOW_FILE_UNREADABLE. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  let rest = '';
  for await (const piece of pieces) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_CHARACTERS) {
      throw new AppError(
        'FLOW_FILE_UNREADABLE',
        `Cannot read flows: a line is longer than any flow: received ${rest.length} characters`,
      );
    }
    yield* lines;
  }
  if (rest !== '') yield rest;
}
