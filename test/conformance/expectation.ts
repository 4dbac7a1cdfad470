/** What a case expects, and what differs from it: differences in words that tell what to look at. */
import type { Seen } from './dig.ts';

interface Expected {
  readonly status: string;
  /** Undefined: any. */
  readonly flags: readonly string[] | undefined;
  readonly sections: Readonly<Record<string, readonly string[]>>;
}

const HEADINGS: ReadonlySet<string> = new Set(['ANSWER', 'AUTHORITY', 'ADDITIONAL']);
const SECTIONS = ['ANSWER', 'AUTHORITY', 'ADDITIONAL', 'OPT'];
/** Lines of dig's OPT pseudo section. */
const PSEUDO = /^(EDNS|NSID|COOKIE|CLIENT-SUBNET|EDE|PADDING|PAD|TCP-KEEPALIVE|OPT=\d+|EXPIRE)\b/;

/** What a TTL may have counted down by on a machine that is busy with other things. */
const AGED_SECONDS = 10;

/** Empty when all is as expected. */
export function differences(text: string, seen: Seen, ordered: boolean): readonly string[] {
  const expected = readExpectation(text);
  const found: string[] = [];
  if (expected.status !== seen.status) found.push(`status: expected ${expected.status}, got ${seen.status}`);
  const flags = expected.flags?.join(' ');
  if (flags !== undefined && flags !== seen.flags.join(' ')) {
    found.push(`flags: expected ${flags}, got ${seen.flags.join(' ')}`);
  }
  for (const section of SECTIONS) {
    found.push(
      ...compareLines(section, expected.sections[section] ?? [], seen.sections[section] ?? [], ordered),
    );
  }
  return found;
}

/** `44`, `<=512` or `>512`. */
export function fitsCount(pattern: string, count: number): boolean {
  if (pattern.startsWith('<=')) return count <= Number(pattern.slice(2));
  return pattern.startsWith('>') ? count > Number(pattern.slice(1)) : count === Number(pattern);
}

function readExpectation(text: string): Expected {
  const lines = text
    .split('\n')
    .map((line) =>
      line
        .replace(/(^|\s)#.*$/, '')
        .trim()
        .replace(/\s+/g, ' '),
    )
    .filter((line) => line !== '');
  const [head = '', ...rest] = lines;
  const [status = '', ...flags] = head.split(' ');
  const sections: Record<string, string[]> = {};
  let current = 'ANSWER';
  for (const line of rest) {
    if (HEADINGS.has(line)) current = line;
    else {
      const section = PSEUDO.test(line) ? 'OPT' : current;
      const [, times = '1', record = line] = /^(\d+)x (.*)$/.exec(line) ?? [];
      sections[section] = [...(sections[section] ?? []), ...Array<string>(Number(times)).fill(record)];
    }
  }
  return { status, flags: flags.length === 0 ? undefined : flags, sections };
}

function compareLines(
  section: string,
  expected: readonly string[],
  seen: readonly string[],
  ordered: boolean,
): readonly string[] {
  if (ordered) {
    const same = expected.length === seen.length && expected.every((line, i) => fits(line, seen[i] ?? ''));
    return same
      ? []
      : [`${section}: expected in this order\n  ${expected.join('\n  ')}\ngot\n  ${seen.join('\n  ')}`];
  }
  const left = [...seen];
  const missing = expected.filter((line) => {
    const at = left.findIndex((candidate) => fits(line, candidate));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [
    ...missing.map((line) => `${section}: missing ${line}`),
    ...left.map((line) => `${section}: not expected ${line}`),
  ];
}

/** Word by word: `*` within a word, `~30` for up to `AGED_SECONDS` less. A trailing ` **` takes the rest of the line. */
export function fits(pattern: string, line: string): boolean {
  if (pattern.endsWith(' **')) {
    const words = pattern.split(' ').length - 1;
    return fits(pattern.slice(0, -3), line.split(' ').slice(0, words).join(' '));
  }
  const wanted = pattern.split(' ');
  const got = line.split(' ');
  return wanted.length === got.length && wanted.every((word, i) => fitsWord(word, got[i] ?? ''));
}

function fitsWord(pattern: string, word: string): boolean {
  const near = /^~(\d+)$/.exec(pattern)?.[1];
  if (near !== undefined)
    return /^\d+$/.test(word) && Number(word) <= Number(near) && Number(word) >= Number(near) - AGED_SECONDS;
  if (!pattern.includes('*')) return pattern === word;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(word);
}
