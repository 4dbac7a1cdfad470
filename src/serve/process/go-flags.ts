/**
 * Command-line flags as Go programs take them (dns-server 1.8 and 10 item 6): one dash or two, `-x v` or `-x=v`, and a
 * bool never takes the next word. The tables are the commands'.
 */

import { nearestWord } from '../../corefile/nearest.ts';
import { AppError } from '../../fault/app-error.ts';

export interface FlagSpec {
  readonly kind: 'string' | 'bool' | 'int';
  /** As it would be written. */
  readonly default: string;
  readonly help: string;
}

export type FlagTable = Readonly<Record<string, FlagSpec>>;

export interface ParsedFlags {
  text(name: string): string;
  isSet(name: string): boolean;
  flag(name: string): boolean;
  int(name: string): number;
  /** `-h`, `-help`, `--help`. */
  readonly wantsHelp: boolean;
  /** What is no flag, from the first such word on. */
  readonly rest: readonly string[];
}

const TRUE_WORDS: readonly string[] = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE_WORDS: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** Throws SERVE_FLAGS in Go's words. */
export function parseGoFlags(args: readonly string[], table: FlagTable): ParsedFlags {
  const given = new Map<string, string>();
  let wantsHelp = false;
  let i = 0;
  for (; i < args.length; i++) {
    const word = args[i] ?? '';
    if (word === '--') {
      i++;
      break;
    }
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
    if (match === null) break;
    const [, name = '', inline] = match;
    if ((name === 'h' || name === 'help') && !Object.hasOwn(table, name)) {
      wantsHelp = true;
      continue;
    }
    const spec = Object.hasOwn(table, name) ? table[name] : undefined;
    if (spec === undefined) throw unknownFlag(name, table);
    const value = inline ?? (spec.kind === 'bool' ? 'true' : args[++i]);
    if (value === undefined) throw flagFault(`flag needs an argument: -${name}`);
    given.set(name, checkedValue(name, value, spec));
  }
  return accessors(given, table, { wantsHelp, rest: args.slice(i) });
}

function accessors(
  given: ReadonlyMap<string, string>,
  table: FlagTable,
  tail: { wantsHelp: boolean; rest: readonly string[] },
): ParsedFlags {
  const text = (name: string) => given.get(name) ?? table[name]?.default ?? '';
  return {
    ...tail,
    text,
    isSet: (name) => given.has(name),
    flag: (name) => TRUE_WORDS.includes(text(name)),
    int: (name) => Number(text(name)),
  };
}

function checkedValue(name: string, value: string, { kind }: FlagSpec): string {
  const known = kind === 'bool' ? [...TRUE_WORDS, ...FALSE_WORDS].includes(value) : true;
  if (known && (kind !== 'int' || /^[+-]?\d{1,9}$/.test(value))) return value;
  // Go's package says "flag" only of values that are no booleans.
  const [what, whose] = kind === 'bool' ? ['boolean value', ''] : ['value', 'flag '];
  throw flagFault(`invalid ${what} ${JSON.stringify(value)} for ${whose}-${name}: parse error`);
}

function unknownFlag(name: string, table: FlagTable): AppError {
  const near = nearestWord(name, Object.keys(table));
  return flagFault(`flag provided but not defined: -${name}`, near && `Did you mean -${near}?`);
}

function flagFault(text: string, hint: string | undefined = undefined): AppError {
  return new AppError('SERVE_FLAGS', text, { hint: hint ?? 'Run the command with -help' });
}

/** One flag a line, for `-help`. */
export function describeFlags(table: FlagTable): string {
  const width = Math.max(...Object.keys(table).map((name) => name.length));
  return Object.entries(table)
    .map(([name, spec]) => {
      const initial = spec.default === '' ? '' : ` (default ${spec.default})`;
      return `  -${name.padEnd(width)}  ${spec.help}${initial}`;
    })
    .join('\n');
}
