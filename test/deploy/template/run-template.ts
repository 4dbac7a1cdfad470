/**
 * Runs a parsed template. Values are as in helm: what is empty is false, a missing key is nothing. Stricter than helm
 * where helm would print nonsense: to print nothing at all, a map or a list is an error.
 */
import { stringify } from 'yaml';
import type { Node, Operand, ParsedTemplate, Pipeline } from './parse-template.ts';

type Callable = (...args: readonly unknown[]) => unknown;

interface Scope {
  readonly dot: unknown;
  /** `''` is the root, `$`. */
  readonly variables: ReadonlyMap<string, unknown>;
}

interface Run {
  readonly defines: ReadonlyMap<string, readonly Node[]>;
  readonly name: string;
}

/** `defines` are those of all files together. */
export function runTemplate(
  { body }: ParsedTemplate,
  { root, ...run }: Run & { readonly root: unknown },
): string {
  return runNodes(body, { dot: root, variables: new Map([['', root]]) }, run);
}

function runNodes(nodes: readonly Node[], outer: Scope, run: Run): string {
  let output = '';
  let scope = outer;
  for (const node of nodes) {
    if (node.kind === 'text') output += node.text;
    else if (node.kind === 'assign') {
      const value = at(node, run, () => evaluate(node.pipeline, scope, run));
      scope = { ...scope, variables: new Map([...scope.variables, [node.name, value]]) };
    } else if (node.kind === 'print') {
      output += at(node, run, () => printed(evaluate(node.pipeline, scope, run)));
    } else output += runBlock(node, scope, run);
  }
  return output;
}

function runBlock(node: Extract<Node, { kind: 'if' | 'with' | 'range' }>, scope: Scope, run: Run): string {
  const value = at(node, run, () => evaluate(node.pipeline, scope, run));
  if (!isTrue(value)) return runNodes(node.otherwise, scope, run);
  if (node.kind === 'if') return runNodes(node.body, scope, run);
  if (node.kind === 'with') return runNodes(node.body, { ...scope, dot: value }, run);
  if (!Array.isArray(value)) throw new Error(`${run.name}:${node.line}: range is for lists alone`);
  return value.map((dot: unknown) => runNodes(node.body, { ...scope, dot }, run)).join('');
}

function at<T>({ line }: { line: number }, { name }: Run, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${name}:${line}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function evaluate(pipeline: Pipeline, scope: Scope, run: Run): unknown {
  let result: unknown;
  for (const [index, command] of pipeline.entries()) {
    const [head, ...rest] = command;
    if (head === undefined) throw new Error('an empty command');
    const args = rest.map((operand) => operandValue(operand, scope, run));
    if (index > 0) args.push(result);
    const value =
      head.kind === 'function' ? functionOf(head.name, scope, run) : operandValue(head, scope, run);
    if (typeof value === 'function') result = (value as Callable)(...args);
    else if (args.length === 0) result = value;
    else throw new Error('arguments behind something that is no function');
  }
  return result;
}

function operandValue(operand: Operand, scope: Scope, run: Run): unknown {
  switch (operand.kind) {
    case 'value':
      return operand.value;
    case 'pipeline':
      return evaluate(operand.pipeline, scope, run);
    case 'function':
      throw new Error(`${operand.name} stands where a value is wanted`);
    case 'field': {
      if (operand.variable !== undefined && !scope.variables.has(operand.variable)) {
        throw new Error(`there is no variable $${operand.variable}`);
      }
      const from = operand.variable === undefined ? scope.dot : scope.variables.get(operand.variable);
      return operand.path.reduce<unknown>(fieldOf, from);
    }
  }
}

function fieldOf(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`cannot ask for .${key}: received ${JSON.stringify(value)}`);
  }
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function functionOf(name: string, scope: Scope, run: Run): Callable {
  if (name === 'include') return (template, dot) => include(template, dot, scope, run);
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (known === undefined) throw new Error(`the function ${name} is not in the subset`);
  return known;
}

function include(template: unknown, dot: unknown, _scope: Scope, run: Run): string {
  const body = run.defines.get(text(template));
  if (body === undefined) throw new Error(`there is no template ${JSON.stringify(template)}`);
  return runNodes(body, { dot, variables: new Map([['', dot]]) }, { ...run, name: text(template) });
}

/** As text/template and Sprig have them, last argument from the pipe. */
const FUNCTIONS: Readonly<Record<string, Callable>> = {
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
  eq: (a, b) => isSame(a, b),
  ne: (a, b) => !isSame(a, b),
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  quote: (value) => quoted(text(value)),
  upper: (value) => text(value).toUpperCase(),
  replace: (old, by, value) => text(value).replaceAll(text(old), text(by)),
  printf: (format, ...values) => formatted(text(format), values),
  nindent: (width, value) => `\n${indented(Number(width), text(value))}`,
  indent: (width, value) => indented(Number(width), text(value)),
  fail: (message) => {
    throw new Error(text(message));
  },
  toYaml: (value) => stringify(value, { lineWidth: 0 }).trimEnd(),
};

function isTrue(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== typeof b || typeof a === 'object') {
    throw new Error(`cannot compare ${JSON.stringify(a)} with ${JSON.stringify(b)}`);
  }
  return a === b;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`a text is wanted: received ${JSON.stringify(value)}`);
}

function printed(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return text(value);
}

/** Go's quoting and JSON's agree on plain ASCII. */
function quoted(value: string): string {
  if (!/^[ -~]*$/.test(value)) throw new Error(`only plain ASCII is quoted: received ${value}`);
  return JSON.stringify(value);
}

function indented(width: number, value: string): string {
  const pad = ' '.repeat(width);
  return pad + value.replaceAll('\n', `\n${pad}`);
}

function formatted(format: string, values: readonly unknown[]): string {
  let next = 0;
  const filled = format.replace(/%./g, (verb) => {
    if (verb !== '%s') throw new Error(`printf has %s alone: received ${verb}`);
    return text(values[next++]);
  });
  if (next !== values.length) throw new Error('printf has more values than places');
  return filled;
}
