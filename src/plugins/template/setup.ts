/** `template CLASS TYPE [ZONES…] { match RE…; answer|additional|authority TEMPLATE…; rcode R; ederror CODE [TEXT]; … }`. */
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import { parseClass, parseRcode, parseType, RCODE } from '../../dns/codes.ts';
import { type Name, ROOT } from '../../dns/name.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Setup } from '../contract.ts';
import {
  expectArgs,
  onlyArg,
  parseInteger,
  unknownProperty,
  unsupportedProperty,
  wrongDirective,
} from '../directive.ts';
import { compilePattern, type Pattern } from '../pattern.ts';
import { zonesFrom } from '../zones.ts';
import { templateMetrics } from './metrics.ts';
import { templatePlugin } from './plugin.ts';
import { concerns, type TemplateRule } from './rule.ts';
import { CLIENT_FIELDS, DATA_FIELDS } from './template-data.ts';
import { compileTemplate, type Template } from './text-template/text-template.ts';

const PLUGIN = 'template';
const OPTIONS: readonly string[] = [
  'match',
  'answer',
  'additional',
  'authority',
  'rcode',
  'ederror',
  'fallthrough',
];
/** So that a pattern cannot eat the memory; as in rewrite. */
const LONGEST_PATTERN = 10_000;
const ANYTHING = '.*';

export const setup: Setup = ({ directives, block, host }) => {
  const rules = directives.map((directive) => ruleOf(directive, block.zones));
  return {
    plugin: templatePlugin({ rules, metrics: templateMetrics(host.metrics), resolve: host.resolve }),
    handles: (name, type) => rules.some((rule) => concerns(rule, name, type)),
    ...(rules.some(tellsOfClient) && {
      dependsOnClient: 'a template puts what it knows of the client into answers',
    }),
  };
};

function tellsOfClient({ answer, additional, authority }: TemplateRule): boolean {
  return [...answer, ...additional, ...authority].some((template) =>
    CLIENT_FIELDS.some((field) => template.reads(field)),
  );
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function ruleOf(directive: Directive, zones: readonly Name[]): TemplateRule {
  const [classToken, typeToken, ...zoneTokens] = expectArgs(PLUGIN, directive, 2, Number.POSITIVE_INFINITY);
  if (classToken === undefined || typeToken === undefined)
    throw new Error('expectArgs let too few arguments pass');
  const rule: Writable<TemplateRule> = {
    class: codeOf(classToken, parseClass, 'query class'),
    type: codeOf(typeToken, parseType, 'RR class'),
    zones: zonesFrom(zoneTokens, zones),
    patterns: [],
    answer: [],
    additional: [],
    authority: [],
    rcode: RCODE.NOERROR,
    extendedError: undefined,
    fallthrough: [],
  };
  for (const line of directive.body ?? []) readOption(rule, line);
  if (rule.patterns.length === 0) {
    rule.patterns = [{ source: ANYTHING, pattern: compilePattern(ANYTHING) }];
  }
  return rule;
}

/** CoreDNS knows the names in capitals only. */
function codeOf(token: Token, parse: (text: string) => number | undefined, what: string): number {
  const code = token.text === token.text.toUpperCase() ? parse(token.text) : undefined;
  if (code === undefined) throw wrongDirective(PLUGIN, token, `invalid ${what} ${token.text}`);
  return code;
}

function readOption(rule: Writable<TemplateRule>, line: OptionLine): void {
  const word = line.name.text;
  switch (word) {
    case 'match':
      rule.patterns = [...rule.patterns, ...some(line).map(patternOf)];
      return;
    case 'answer':
    case 'additional':
    case 'authority':
      rule[word] = [...rule[word], ...some(line).map(templateOf)];
      return;
    case 'rcode':
      rule.rcode = rcodeOf(onlyArg(PLUGIN, line));
      return;
    case 'ederror':
      rule.extendedError = extendedErrorOf(line);
      return;
    case 'fallthrough':
      rule.fallthrough = zonesFrom(line.args, [ROOT]);
      return;
    case 'var':
    case 'expr':
      throw unsupportedProperty(PLUGIN, line.name);
    default:
      throw unknownProperty(PLUGIN, line.name, OPTIONS);
  }
}

function some(line: OptionLine): readonly Token[] {
  return expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY);
}

function patternOf(token: Token): { source: string; pattern: Pattern } {
  const { text } = token;
  if (text.length > LONGEST_PATTERN) {
    throw wrongDirective(PLUGIN, token, `regex pattern too long: ${text.length} > ${LONGEST_PATTERN}`);
  }
  try {
    return { source: text, pattern: compilePattern(text) };
  } catch (error) {
    throw wrongDirective(PLUGIN, token, `could not parse regex: ${text}, ${errorText(error)}`);
  }
}

function templateOf(token: Token): Template {
  const compiled = compileTemplate(token.text, DATA_FIELDS);
  if (compiled.ok) return compiled.value;
  throw wrongDirective(PLUGIN, token, `could not compile template: ${token.text}, ${compiled.reason}`, {
    hint: `See line ${token.line}, character ${(compiled.offset ?? 0) + 1} of the template`,
  });
}

function rcodeOf(token: Token): number {
  const rcode = /^\d/.test(token.text) ? undefined : parseRcode(token.text);
  if (rcode === undefined) throw wrongDirective(PLUGIN, token, `unknown rcode ${token.text}`);
  return rcode;
}

function extendedErrorOf(line: OptionLine): { code: number; reason: string } {
  const [codeToken, reason] = expectArgs(PLUGIN, line, 1, 2);
  const code = parseInteger(codeToken?.text ?? '');
  if (code === undefined || code < 0 || code > 0xffff) {
    throw wrongDirective(
      PLUGIN,
      codeToken ?? line.name,
      `error parsing extended DNS error code ${codeToken?.text}`,
    );
  }
  return { code, reason: reason?.text ?? '' };
}
