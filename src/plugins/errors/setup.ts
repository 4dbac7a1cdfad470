/** `errors [stdout] { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }`, once per block. */
import type { OptionLine, Token } from '../../corefile/ast.ts';
import { expectationFault } from '../../corefile/faults.ts';
import { errorText } from '../../fault/app-error.ts';
import type { Setup } from '../contract.ts';
import { durationArg, expectArgs, onlyDirective, quote, wrongDirective } from '../directive.ts';
import { compilePattern, type Pattern } from '../pattern.ts';
import { createConsolidation, type Level, type Rule } from './consolidate.ts';
import { errorsPlugin } from './plugin.ts';

const LEVELS: readonly string[] = ['warning', 'error', 'info', 'debug'] satisfies Level[];
/** What CoreDNS takes at most, so that a pattern cannot eat the memory. */
const LONGEST_PATTERN = 10_000;

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const [file] = expectArgs('errors', directive, 0, 1);
  if (file !== undefined && file.text !== 'stdout') {
    throw wrongDirective('errors', file, `invalid log file: ${file.text}`);
  }
  const options = directive.body ?? [];
  const traces = options.filter(({ name }) => name.text === 'stacktrace');
  for (const option of traces) expectArgs('errors', option, 0);
  const rules = options.filter((option) => !traces.includes(option)).map(ruleOf);
  const print = (level: Level, text: string) => host.log[level](text);
  const consolidation = createConsolidation(rules, { clock: host.clock, print });
  const plugin = errorsPlugin((error, line) => {
    if (!consolidation.take(error, line)) host.log.error(line);
  });
  return {
    plugin,
    onShutdown: () => consolidation.flush(),
    // An answer from the cache never comes with an error.
    replay: { does: 'nothing' },
    ...(traces.length > 0 && { stacktrace: true }),
  };
};

function ruleOf(option: OptionLine): Rule {
  if (option.name.text !== 'consolidate') {
    // CoreDNS's own words for this one plugin (dns-server 1.7).
    throw expectationFault(option.name, `Unknown field ${option.name.text}`);
  }
  const [period, source, ...rest] = expectArgs('errors', option, 2, 4);
  if (period === undefined || source === undefined) throw new Error('expectArgs let too few arguments pass');
  const showFirst = rest.at(-1)?.text === 'show_first';
  const [level, tooMany] = showFirst ? rest.slice(0, -1) : rest;
  if (tooMany !== undefined) throw wrongDirective('errors', tooMany, `invalid option: ${tooMany.text}`);
  return {
    source: source.text,
    pattern: patternOf(source),
    periodMs: durationArg('errors', period, { minMs: 1 }),
    level: level === undefined ? 'error' : levelOf(level),
    showFirst,
  };
}

function levelOf(token: Token): Level {
  if (isLevel(token.text)) return token.text;
  throw wrongDirective('errors', token, `unknown log level argument in consolidate: ${token.text}`, {
    hint: `It is one of: ${LEVELS.join(', ')}`,
  });
}

function isLevel(text: string): text is Level {
  return LEVELS.includes(text);
}

function patternOf(token: Token): Pattern {
  if (token.text.length > LONGEST_PATTERN) {
    const reason = `regex pattern too long in errors plugin: ${token.text.length} > ${LONGEST_PATTERN}`;
    throw wrongDirective('errors', token, reason);
  }
  try {
    return compilePattern(token.text);
  } catch (error) {
    throw wrongDirective('errors', token, `invalid pattern ${quote(token.text)}: ${errorText(error)}`);
  }
}
