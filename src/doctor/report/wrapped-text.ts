/** Lines of a report: a label, text beside it that is broken at blanks, and colours that stop where text of others begins. */
import { printable } from '../../policy/printable.ts';

/** Two windows fit side by side on a laptop's screen. */
export const COLUMNS = 100;
const LABEL_WIDTH = 10;
const INDENT = 2;

/** Text of others: without anything that steers a terminal, a line of its own for each line of it. */
export function safeLines(text: string): readonly string[] {
  return text.split('\n').map(printable);
}

/** The label stands before the first line only; what follows is beside it. */
export function labelled(label: string, texts: readonly string[]): readonly string[] {
  const width = COLUMNS - INDENT - LABEL_WIDTH;
  const lines = texts.flatMap((text) => safeLines(text).flatMap((line) => wrap(line, width)));
  return lines.map((line, i) =>
    `${' '.repeat(INDENT)}${(i === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`.trimEnd(),
  );
}

/** At blanks; what has none stays whole, because half a name or a path is nothing. Later lines stand two further in. */
export function wrap(text: string, width: number): readonly string[] {
  const margin = /^ */.exec(text)?.[0] ?? '';
  const lines: string[] = [];
  let line = '';
  for (const word of text.slice(margin.length).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = `${margin}  ${word}`;
    } else line = line === '' ? `${margin}${word}` : `${line} ${word}`;
  }
  return [...lines, line];
}
