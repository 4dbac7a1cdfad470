/**
 * A tree to closures, with all kinds checked: what is compiled can neither fail nor run long. Each operator is evaluated
 * at most once for an input, and the longest text is as long as the expression and its functions make it. What does not
 * depend on the input is computed once, here.
 */
import { errorText } from '../fault/app-error.ts';
import type { Node } from './ast.ts';
import { expressionFault } from './expression-fault.ts';
import { operation } from './operators.ts';
import { parseExpression } from './parser.ts';
import { compilePattern } from './pattern.ts';
import {
  type FunctionTable,
  LIST_OF,
  type Scalar,
  type ScalarType,
  scalarType,
  type Value,
  type ValueType,
} from './value.ts';

interface Compiled<Input> {
  readonly type: ValueType;
  /** When it does not depend on the input. */
  readonly known?: Value;
  readonly run: (input: Input) => Value;
}

type Of<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;

/** A condition over inputs. Throws EXPRESSION_SYNTAX and EXPRESSION_TYPE; what it gives back never throws. */
export function compileCondition<Input>(
  text: string,
  functions: FunctionTable<Input>,
): (input: Input) => boolean {
  const { type, run } = compile(parseExpression(text), functions);
  if (type === 'boolean') return (input) => run(input) === true;
  throw expressionFault('EXPRESSION_TYPE', `it must be true or false, and is a ${type}`, { at: 0 });
}

function compile<Input>(node: Node, functions: FunctionTable<Input>): Compiled<Input> {
  switch (node.kind) {
    case 'literal':
      return constant(node.value, scalarType(node.value));
    case 'list':
      return compileList(node, functions);
    case 'call':
      return compileCall(node, functions);
    case 'unary':
      return compileUnary(node, functions);
    case 'binary':
      return compileBinary(node, functions);
    case 'choice':
      return compileChoice(node, functions);
  }
}

function constant<Input>(value: Value, type: ValueType): Compiled<Input> {
  return { type, known: value, run: () => value };
}

function compileList<Input>({ items, at }: Of<'list'>, functions: FunctionTable<Input>): Compiled<Input> {
  const compiled = items.map((item) => compile(item, functions));
  const [first] = compiled;
  if (first === undefined) return constant([], 'empty list');
  const type = listType(first.type);
  const odd = compiled.find((item) => item.type !== first.type);
  if (type === undefined || odd !== undefined) {
    const reason = `a list must be of values of one kind: received ${first.type} and ${odd?.type ?? first.type}`;
    throw expressionFault('EXPRESSION_TYPE', reason, { at });
  }
  const run = (input: Input) => compiled.map((item) => asScalar(item.run(input)));
  return compiled.every(({ known }) => known !== undefined)
    ? constant(
        compiled.map(({ known }) => asScalar(known ?? '')),
        type,
      )
    : { type, run };
}

function compileCall<Input>(node: Of<'call'>, functions: FunctionTable<Input>): Compiled<Input> {
  const { name, at } = node;
  const spec = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (spec === undefined) {
    const hint = `The functions are: ${Object.keys(functions).join(', ')}`;
    throw expressionFault('EXPRESSION_TYPE', `unknown function ${name}`, { at, hint });
  }
  const args = node.args.map((arg) => compile(arg, functions));
  const given = args.map(({ type }) => type).join(', ');
  if (given !== spec.parameters.join(', ')) {
    const reason = `${name} takes (${spec.parameters.join(', ')}): received (${given})`;
    throw expressionFault('EXPRESSION_TYPE', reason, { at });
  }
  const call = prepared(() => spec.prepare?.(args.map(({ known }) => known)), name, at) ?? spec.call;
  return {
    type: spec.returns,
    run: (input) =>
      call(
        input,
        args.map(({ run }) => run(input)),
      ),
  };
}

function prepared<T>(prepare: () => T, name: string, at: number): T {
  try {
    return prepare();
  } catch (error) {
    throw expressionFault('EXPRESSION_TYPE', `${name}: ${errorText(error)}`, { at });
  }
}

function compileUnary<Input>(node: Of<'unary'>, functions: FunctionTable<Input>): Compiled<Input> {
  const operand = compile(node.operand, functions);
  const type: ScalarType = node.operator === 'not' ? 'boolean' : 'number';
  if (operand.type !== type) {
    const reason = `${node.operator} needs a ${type}: received a ${operand.type}`;
    throw expressionFault('EXPRESSION_TYPE', reason, { at: node.at });
  }
  const apply = (value: Value): Value => {
    if (node.operator === 'not') return value !== true;
    return node.operator === '-' ? -Number(value) : value;
  };
  return folded(type, [operand], ([value = '']) => apply(value));
}

function compileBinary<Input>(node: Of<'binary'>, functions: FunctionTable<Input>): Compiled<Input> {
  const { operator, at } = node;
  const left = compile(node.left, functions);
  const right = compile(node.right, functions);
  switch (operator) {
    case 'and':
    case 'or':
      if (left.type !== 'boolean' || right.type !== 'boolean')
        throw mismatch(operator, left.type, right.type, at);
      return compileLogic(operator === 'or', left, right);
    case 'in':
      if (right.type !== 'empty list' && right.type !== listType(left.type)) {
        throw mismatch(operator, left.type, right.type, at);
      }
      return compileMembership(left, right);
    case 'matches':
      if (left.type !== 'string' || right.type !== 'string')
        throw mismatch(operator, left.type, right.type, at);
      return compileMatch(left, right, at);
    default: {
      const found = operation(operator, left.type, right.type);
      if (found === undefined) throw mismatch(operator, left.type, right.type, at);
      return folded(found.type, [left, right], ([a = '', b = '']) => found.apply(a, b));
    }
  }
}

/** The right side is not evaluated when the left one decides. */
function compileLogic<Input>(
  decisive: boolean,
  left: Compiled<Input>,
  right: Compiled<Input>,
): Compiled<Input> {
  if (left.known !== undefined) return left.known === decisive ? left : right;
  return { type: 'boolean', run: (input) => (left.run(input) === decisive ? decisive : right.run(input)) };
}

function compileMembership<Input>(left: Compiled<Input>, right: Compiled<Input>): Compiled<Input> {
  if (right.known !== undefined) {
    const members = new Set<Value>(asList(right.known));
    return folded('boolean', [left], ([value = '']) => members.has(value));
  }
  return folded('boolean', [left, right], ([value = '', list = []]) =>
    asList(list).some((each) => each === value),
  );
}

/** Only patterns that are known: compiling one takes far longer than matching it. */
function compileMatch<Input>(left: Compiled<Input>, right: Compiled<Input>, at: number): Compiled<Input> {
  const { known } = right;
  if (known === undefined) {
    throw expressionFault('EXPRESSION_TYPE', 'the pattern of matches must not depend on the query', { at });
  }
  const matches = prepared(() => compilePattern(String(known)), 'matches', at);
  return folded('boolean', [left], ([value = '']) => matches(String(value)));
}

function compileChoice<Input>(node: Of<'choice'>, functions: FunctionTable<Input>): Compiled<Input> {
  const condition = compile(node.condition, functions);
  const yes = compile(node.yes, functions);
  const no = compile(node.no, functions);
  if (condition.type !== 'boolean') {
    const reason = `? needs a boolean in front: received a ${condition.type}`;
    throw expressionFault('EXPRESSION_TYPE', reason, { at: node.at });
  }
  if (yes.type !== no.type) throw mismatch(':', yes.type, no.type, node.at);
  if (condition.known !== undefined) return condition.known === true ? yes : no;
  return { type: yes.type, run: (input) => (condition.run(input) === true ? yes : no).run(input) };
}

/** Computed now if all operands are known. */
function folded<Input>(
  type: ScalarType,
  operands: readonly Compiled<Input>[],
  apply: (values: readonly Value[]) => Value,
): Compiled<Input> {
  const known = operands.flatMap((operand) => (operand.known === undefined ? [] : [operand.known]));
  if (known.length === operands.length) return constant(apply(known), type);
  return { type, run: (input) => apply(operands.map(({ run }) => run(input))) };
}

function mismatch(operator: string, left: ValueType, right: ValueType, at: number): Error {
  return expressionFault('EXPRESSION_TYPE', `${operator} cannot join a ${left} and a ${right}`, { at });
}

function listType(type: ValueType): ValueType | undefined {
  return type === 'string' || type === 'number' || type === 'boolean' ? LIST_OF[type] : undefined;
}

function asList(value: Value): readonly Scalar[] {
  return typeof value === 'object' ? value : [value];
}

function asScalar(value: Value): Scalar {
  return typeof value === 'object' ? '' : value;
}
