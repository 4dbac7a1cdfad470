/**
 * A place in the token list, which imports change while it is read. What counts as "the same line" is decided here:
 * two tokens of one file of which the second starts where the first ends, newlines inside quotes included.
 */
import type { Token } from './ast.ts';

export class TokenCursor {
  readonly #tokens: Token[];
  #position = -1;

  constructor(tokens: readonly Token[]) {
    this.#tokens = [...tokens];
  }

  /** The token under the cursor; the last one once the end is reached, so that errors have a place. */
  get token(): Token | undefined {
    return this.#tokens[Math.min(this.#position, this.#tokens.length - 1)];
  }

  /** Moves on; false, without moving, at the end. */
  next(): boolean {
    if (this.#position >= this.#tokens.length - 1) return false;
    this.#position++;
    return true;
  }

  back(): void {
    this.#position--;
  }

  /** Moves on only within the line. */
  nextOnLine(): boolean {
    if (this.#position >= this.#tokens.length - 1 || this.#startsLine(this.#position + 1)) return false;
    this.#position++;
    return true;
  }

  /** Whether the current token is the first of its line. */
  get startsLine(): boolean {
    return this.#startsLine(this.#position);
  }

  replaceText(text: string): void {
    const token = this.token;
    if (token !== undefined && token.text !== text) this.#tokens[this.#position] = { ...token, text };
  }

  /** Replaces the last `count` tokens up to the current one; the cursor then stands before what came in. */
  splice(count: number, tokens: readonly Token[]): void {
    const start = this.#position - count + 1;
    const tail = this.#tokens.slice(this.#position + 1);
    this.#tokens.length = start;
    for (const token of tokens) this.#tokens.push(token);
    for (const token of tail) this.#tokens.push(token);
    this.#position = start - 1;
  }

  #startsLine(index: number): boolean {
    const before = this.#tokens[index - 1];
    const token = this.#tokens[index];
    return before === undefined || token === undefined || !sameLine(before, token);
  }
}

export function sameLine(before: Token, token: Token): boolean {
  const breaks = before.quoted ? before.text.split('\n').length - 1 : 0;
  return before.file === token.file && before.line + breaks === token.line;
}
