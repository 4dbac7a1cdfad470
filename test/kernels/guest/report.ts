/** What a guest says to its host: one JSON text per line on the second serial port. Both sides import this file. */

export type GuestLine =
  | { readonly kind: 'kernel'; readonly release: string }
  /** A program of ours and what the verifier made of it: instructions it examined, or its last lines. */
  | {
      readonly kind: 'program';
      readonly object: string;
      readonly program: string;
      readonly instructions: number;
      readonly examined: number;
      readonly error?: string;
    }
  | {
      readonly kind: 'test';
      readonly file: string;
      readonly name: string;
      readonly ms: number;
      readonly error?: string;
    }
  /** A feature this kernel should have or lack, whether it has it, and how the datapath says so. */
  | {
      readonly kind: 'feature';
      readonly name: string;
      readonly expected: boolean;
      readonly has: boolean;
      readonly message?: string;
    }
  | { readonly kind: 'note'; readonly text: string }
  /** Everything has been tried. Without this line the run counts as broken. */
  | { readonly kind: 'end'; readonly ms: number };

const KINDS = ['kernel', 'program', 'test', 'feature', 'note', 'end'];

/** Undefined for what is no line of ours: serial ports carry other things, too. */
export function parseLine(text: string): GuestLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('kind' in value)) return undefined;
  return KINDS.includes(String(value.kind)) ? (value as GuestLine) : undefined;
}
