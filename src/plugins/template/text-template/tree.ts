/** What a template says, as a tree. Made by the parser, walked by the evaluator, never changed. */
import type { Value } from './value.ts';

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipe;
      readonly body: Nodes;
      readonly otherwise: Nodes;
    }
  | { readonly kind: 'break' | 'continue' };

export type Nodes = readonly Node[];

export interface Pipe {
  /** `$i, $x := …` declares, `$x = …` assigns; none for most. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  /** Each gets the value of the one before as its last argument. At least one. */
  readonly commands: readonly Command[];
}

/** A function or method and its arguments, or one operand alone. */
export type Command = readonly [Operand, ...Operand[]];

/** With the fields behind it: `.Group.a`, `$x.Name`, `(index .Message.Question 0).Name`. */
export interface Operand {
  readonly base:
    | { readonly kind: 'dot' }
    | { readonly kind: 'variable'; readonly name: string }
    | { readonly kind: 'constant'; readonly value: Value }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'pipe'; readonly pipe: Pipe };
  readonly fields: readonly string[];
  /** In the template's text. */
  readonly offset: number;
}
