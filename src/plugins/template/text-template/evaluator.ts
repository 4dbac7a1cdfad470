/**
 * Walks a template's tree with its data. Clients choose part of the data, so steps and output have bounds; what goes
 * beyond, and what Go would refuse at this point, halts the template.
 */
import { callFunction } from './functions.ts';
import type { Command, Node, Nodes, Operand, Pipe } from './tree.ts';
import { formatValue, isList, isTrue, Struct, TemplateHalt, typeOf, type Value } from './value.ts';

/** As long as the longest record could be written, and a bit. */
const MAX_OUTPUT_CHARACTERS = 65_536;
/** Nodes and operands: some milliseconds at most. */
const MAX_STEPS = 20_000;

interface Run {
  readonly variables: { name: string; value: Value }[];
  readonly output: string[];
  length: number;
  steps: number;
}

type Flow = 'on' | 'break' | 'continue';

/** Throws `TemplateHalt`. */
export function evaluate(nodes: Nodes, data: Value): string {
  const run: Run = { variables: [{ name: '$', value: data }], output: [], length: 0, steps: 0 };
  walk(run, nodes, data);
  return run.output.join('');
}

function walk(run: Run, nodes: Nodes, dot: Value): Flow {
  const known = run.variables.length;
  let flow: Flow = 'on';
  for (const node of nodes) {
    flow = visit(run, node, dot);
    if (flow !== 'on') break;
  }
  run.variables.length = known;
  return flow;
}

function visit(run: Run, node: Node, dot: Value): Flow {
  step(run);
  switch (node.kind) {
    case 'text':
      write(run, node.text);
      return 'on';
    case 'action': {
      const value = evalPipe(run, node.pipe, dot);
      if (node.pipe.variables.length === 0)
        write(run, value === undefined ? '<no value>' : formatValue(value));
      return 'on';
    }
    case 'if':
    case 'with':
      return branch(run, node, dot);
    case 'range':
      return loop(run, node, dot);
    case 'break':
    case 'continue':
      return node.kind;
  }
}

type Branch = Extract<Node, { kind: 'if' | 'with' | 'range' }>;

function branch(run: Run, { kind, pipe, body, otherwise }: Branch, dot: Value): Flow {
  const known = run.variables.length;
  const value = evalPipe(run, pipe, dot);
  const flow = isTrue(value) ? walk(run, body, kind === 'with' ? value : dot) : walk(run, otherwise, dot);
  run.variables.length = known;
  return flow;
}

function loop(run: Run, { pipe, body, otherwise }: Branch, dot: Value): Flow {
  const known = run.variables.length;
  const entries = entriesOf(evalPipe(run, { ...pipe, variables: [] }, dot));
  let count = 0;
  for (const [key, item] of entries) {
    count++;
    step(run);
    setLoopVariables(run, pipe, { key, item });
    const flow = walk(run, body, item);
    if (!pipe.assigns) run.variables.length = known;
    if (flow === 'break') break;
  }
  run.variables.length = known;
  return count === 0 ? walk(run, otherwise, dot) : 'on';
}

/** One variable is the element, two are its place and the element. */
function setLoopVariables(
  run: Run,
  { variables, assigns }: Pipe,
  { key, item }: { key: Value; item: Value },
): void {
  const values = variables.length === 2 ? [key, item] : [item];
  variables.forEach((name, i) => {
    if (assigns) assign(run, name, values[i]);
    else run.variables.push({ name, value: values[i] });
  });
}

function* entriesOf(value: Value): Generator<readonly [Value, Value]> {
  if (isList(value)) {
    for (const [i, item] of value.entries()) yield [BigInt(i), item];
  } else if (value instanceof Map) {
    for (const key of [...value.keys()].sort()) yield [key, value.get(key)];
  } else if (typeof value === 'bigint') {
    for (let i = 0n; i < value; i++) yield [i, i];
  } else if (value !== undefined) {
    throw new TemplateHalt(`range can't iterate over ${formatValue(value)}`);
  }
}

function evalPipe(run: Run, { variables, assigns, commands }: Pipe, dot: Value): Value {
  let value: Value;
  commands.forEach((command, i) => {
    value = evalCommand(run, command, { dot, ...(i > 0 && { piped: [value] }) });
  });
  for (const name of variables) {
    if (assigns) assign(run, name, value);
    else run.variables.push({ name, value });
  }
  return value;
}

interface Surroundings {
  readonly dot: Value;
  /** What the command before gave. */
  readonly piped?: readonly Value[];
}

function evalCommand(run: Run, [first, ...rest]: Command, { dot, piped = [] }: Surroundings): Value {
  step(run);
  const { base, fields } = first;
  if (base.kind === 'function' && fields.length === 0) {
    if (base.name === 'and' || base.name === 'or')
      return decide(run, { name: base.name, operands: rest, dot, piped });
    return bounded(
      callFunction(base.name, [...rest.map((operand) => evalOperand(run, operand, dot)), ...piped]),
    );
  }
  const value = evalOperand(run, first, dot, { keepMethod: true });
  const args = [...rest.map((operand) => evalOperand(run, operand, dot)), ...piped];
  if (typeof value === 'function') return bounded(value(args));
  if (args.length > 0) {
    throw new TemplateHalt(`can't give argument to non-function ${fields.at(-1) ?? formatValue(value)}`);
  }
  return value;
}

/** The first argument that decides, else the last; those behind it are not looked at. */
function decide(
  run: Run,
  {
    name,
    operands,
    dot,
    piped,
  }: { name: 'and' | 'or'; operands: readonly Operand[]; dot: Value; piped: readonly Value[] },
): Value {
  let value: Value;
  for (const operand of operands) {
    value = evalOperand(run, operand, dot);
    if (isTrue(value) === (name === 'or')) return value;
  }
  return piped.length > 0 ? piped[0] : value;
}

function evalOperand(run: Run, { base, fields }: Operand, dot: Value, { keepMethod = false } = {}): Value {
  step(run);
  let value = evalBase(run, base, dot);
  for (const field of fields) value = fieldOf(called(value), field);
  return keepMethod ? value : called(value);
}

function evalBase(run: Run, base: Operand['base'], dot: Value): Value {
  switch (base.kind) {
    case 'dot':
      return dot;
    case 'variable':
      return run.variables.findLast(({ name }) => name === base.name)?.value;
    case 'constant':
      return base.value;
    case 'function':
      return callFunction(base.name, []);
    case 'pipe': {
      const known = run.variables.length;
      const value = evalPipe(run, base.pipe, dot);
      run.variables.length = known;
      return value;
    }
  }
}

/** A method without arguments is called where its value is wanted. */
function called(value: Value): Value {
  return typeof value === 'function' ? value([]) : value;
}

/** A map has no value under a key it does not know; a struct must know its fields. */
function fieldOf(value: Value, field: string): Value {
  if (value instanceof Map) return value.get(field);
  if (value instanceof Struct && value.has(field)) return value.get(field);
  if (value === undefined) throw new TemplateHalt(`nil data; no entry for key ${JSON.stringify(field)}`);
  throw new TemplateHalt(`can't evaluate field ${field} in type ${typeOf(value)}`);
}

function assign(run: Run, name: string, value: Value): void {
  const variable = run.variables.findLast((known) => known.name === name);
  if (variable !== undefined) variable.value = value;
}

function write(run: Run, text: string): void {
  run.length += text.length;
  if (run.length > MAX_OUTPUT_CHARACTERS) throw tooLong();
  run.output.push(text);
}

/** Texts that grow in a loop are stopped before they fill the memory. */
function bounded(value: Value): Value {
  if (typeof value === 'string' && value.length > MAX_OUTPUT_CHARACTERS) throw tooLong();
  return value;
}

function tooLong(): TemplateHalt {
  return new TemplateHalt(`more than ${MAX_OUTPUT_CHARACTERS} characters of output`);
}

function step(run: Run): void {
  if (++run.steps > MAX_STEPS) throw new TemplateHalt(`more than ${MAX_STEPS} steps`);
}
