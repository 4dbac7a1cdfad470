/**
 * `view NAME { expr EXPRESSION… }`, once per block. A view is no link of the chain: it decides whether the block gets a
 * query at all, which is the server's to ask.
 */
import type { OptionLine } from '../../corefile/ast.ts';
import { compileCondition } from '../../expression/compile.ts';
import { AppError, errorText } from '../../fault/app-error.ts';
import type { Query } from '../../server/handler.ts';
import type { Host, Setup } from '../contract.ts';
import { expectArgs, onlyArg, onlyDirective, unknownProperty, wrongDirective } from '../directive.ts';
import { queryFunctions } from './query-functions.ts';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const name = onlyArg('view', directive).text;
  const functions = queryFunctions((query, label) => metadataOf(query, label, host));
  const conditions = (directive.body ?? []).map((line) => readCondition(line, functions));
  return {
    view: { name, accepts: (query) => conditions.every((holds) => holds(query)) },
    dependsOnClient: 'a view on the listener decides by who asks',
    describe: (query) => void query.metadata.set('view/name', name),
  };
};

function readCondition(
  line: OptionLine,
  functions: ReturnType<typeof queryFunctions>,
): (query: Query) => boolean {
  if (line.name.text !== 'expr') throw unknownProperty('view', line.name, ['expr']);
  const args = expectArgs('view', line, 1, Number.POSITIVE_INFINITY);
  const text = args.map((arg) => arg.text).join(' ');
  try {
    return compileCondition(text, functions);
  } catch (error) {
    const hints = [
      `The expression is: ${text}`,
      ...(error instanceof AppError && error.hint !== undefined ? [error.hint] : []),
      ...(args.some(({ quoted }) => quoted) ? ['Double quotes around a word are the Corefile’s own'] : []),
    ];
    throw wrongDirective('view', line.name, errorText(error), { hint: hints.join('; ') });
  }
}

/** A view is asked before the chain runs, so that nobody has described the query yet. */
function metadataOf(query: Query, label: string, host: Host): string {
  if (query.metadata.size === 0) {
    for (const describe of host.neighbours().describers) describe(query);
  }
  return query.metadata.get(label) ?? '';
}
