/** `log [NAMES...] [FORMAT] { class CLASS... }`; several lines are rules tried in order. */
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import type { MessageClass } from '../../dns/classify.ts';
import { type Name, ROOT } from '../../dns/name.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, unknownProperty, wrongDirective } from '../directive.ts';
import { zonesOfArgument } from '../zones.ts';
import { COMMON, compileFormat } from './format.ts';
import { type LogRule, logPlugin, logWriter } from './plugin.ts';

const CLASSES: readonly string[] = ['success', 'denial', 'error'] satisfies MessageClass[];

export const setup: Setup = ({ directives, host }) => {
  const rules = directives.flatMap(rulesOf);
  const output = { clock: host.clock, print: (line: string) => host.plainLog.info(line) };
  const plugin = logPlugin(rules, output);
  if (rules.some(({ tellsMetadata }) => tellsMetadata)) return { plugin };
  return { plugin, replay: { does: 'log', write: logWriter(rules, output) } };
};

function rulesOf({ args, body = [] }: Directive): LogRule[] {
  const last = args.at(-1);
  const hasFormat = args.length >= 2 && last?.text.includes('{') === true;
  const names = hasFormat ? args.slice(0, -1) : args;
  const formatText = hasFormat ? last.text : COMMON;
  const format = compileFormat(formatText);
  const tellsKind = formatText.includes('{/log/');
  const tellsMetadata = /\{\/(?!log\/)/.test(formatText);
  const classes = classesOf(body);
  const zones = names.length === 0 ? [ROOT] : names.flatMap(zonesNamed);
  return zones.map((zone) => ({ zone, format, classes, tellsKind, tellsMetadata }));
}

/** Several for a CIDR whose mask is not on a label boundary. */
function zonesNamed(token: Token): readonly Name[] {
  const zones = zonesOfArgument(token.text);
  if (zones.length > 0) return zones;
  throw wrongDirective('log', token, `not a domain name: ${JSON.stringify(token.text)}`);
}

function classesOf(body: readonly OptionLine[]): LogRule['classes'] {
  const classes = new Set<MessageClass>();
  let all = body.length === 0;
  for (const option of body) {
    if (option.name.text !== 'class') throw unknownProperty('log', option.name, ['class']);
    for (const token of expectArgs('log', option, 1, Number.POSITIVE_INFINITY)) {
      if (token.text === 'all') all = true;
      else classes.add(classOf(token));
    }
  }
  return all ? 'all' : classes;
}

function classOf(token: Token): MessageClass {
  if (isClass(token.text)) return token.text;
  throw wrongDirective('log', token, `unknown response class: ${JSON.stringify(token.text)}`, {
    hint: `It is one of: all, ${CLASSES.join(', ')}`,
  });
}

function isClass(text: string): text is MessageClass {
  return CLASSES.includes(text);
}
