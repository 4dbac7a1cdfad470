/**
 * A parsed Corefile. Tokens keep where they stood, because every error an operator meets names file and line.
 * Names are kept as written; environment variables are already replaced and imports already expanded.
 */
export interface Token {
  readonly text: string;
  /** The path as given on the command line, or the absolute path of an imported file. */
  readonly file: string;
  /** From 1, of the line on which the token starts. */
  readonly line: number;
  /** From 1, in code points. */
  readonly column: number;
  readonly quoted: boolean;
}

/** One line of a directive's `{ … }` body: an option word and its arguments. */
export interface OptionLine {
  readonly name: Token;
  readonly args: readonly Token[];
}

/** One occurrence of a plugin word in a block. */
export interface Directive {
  readonly name: Token;
  readonly args: readonly Token[];
  /** Absent when there was no `{`; an empty list for `{ }`. */
  readonly body?: readonly OptionLine[];
}

export interface Block {
  /** Zone keys as written: `.:53`, `cluster.local`, `10.0.0.0/8`. */
  readonly keys: readonly Token[];
  /** In file order; a word may occur several times. */
  readonly directives: readonly Directive[];
}

export interface Corefile {
  readonly blocks: readonly Block[];
  /** `[WARNING]` lines to print, without the prefix. */
  readonly warnings: readonly string[];
  /** SHA-512, hex, of the parsed text as the `reload` plugin prints it (dns-server 3.9). */
  readonly hash: string;
}
