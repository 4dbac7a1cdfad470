/** `type FROM TO` and `class FROM TO`: ask for something else under the same name. */
import type { Token } from '../../corefile/ast.ts';
import { parseClass, parseType } from '../../dns/codes.ts';
import { quote } from '../directive.ts';
import { withQuestion } from './rewritten-query.ts';
import type { Apply } from './rule.ts';
import { type RuleArguments, wrongRule } from './rule-arguments.ts';

export function typeRule(rule: RuleArguments): Apply {
  return codeRule('type', parseType, rule);
}

export function classRule(rule: RuleArguments): Apply {
  return codeRule('class', parseClass, rule);
}

function codeRule(
  field: 'type' | 'class',
  parse: (text: string) => number | undefined,
  { at, args }: RuleArguments,
): Apply {
  const [from, to, extra] = args;
  if (from === undefined || to === undefined || extra !== undefined) {
    throw wrongRule(extra ?? at, `${field} rules must have exactly two arguments`);
  }
  const read = (token: Token): number => {
    const code = parse(token.text);
    if (code === undefined) throw wrongRule(token, `invalid ${field} ${quote(token.text)}`);
    return code;
  };
  const [old, fresh] = [read(from), read(to)];
  return (query) => {
    if (query.question[field] !== old) return undefined;
    return { query: withQuestion(query, { [field]: fresh }), responses: [] };
  };
}
