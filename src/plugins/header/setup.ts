/** `header { [query|response] set|clear FLAG… }`, once per block; lines are applied in order. */
import type { OptionLine, Token } from '../../corefile/ast.ts';
import type { Flags } from '../../dns/message.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, onlyDirective, wrongDirective } from '../directive.ts';
import { type FlagChange, header } from './plugin.ts';

const FLAGS: ReadonlyMap<string, keyof Flags> = new Map([
  ['aa', 'authoritative'],
  ['ra', 'recursionAvailable'],
  ['rd', 'recursionDesired'],
]);
const SELECTORS: readonly string[] = ['query', 'response'];
const ACTIONS: readonly string[] = ['set', 'clear'];

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  expectArgs('header', directive, 0);
  const changes: { query: FlagChange; response: FlagChange } = { query: {}, response: {} };
  for (const line of directive.body ?? []) {
    const { ofQuery, change } = readLine(line);
    if (ofQuery) changes.query = { ...changes.query, ...change };
    else changes.response = { ...changes.response, ...change };
  }
  if ((directive.body ?? []).length === 0) {
    throw wrongDirective(
      'header',
      directive.name,
      `Wrong argument count or unexpected line ending after 'header'`,
      {
        code: 'PLUGIN_ARGUMENT_COUNT',
        hint: 'It needs at least one line, such as: response set ra',
      },
    );
  }
  return { plugin: header(changes) };
};

/** Without `query` or `response` in front, as in CoreDNS before 1.9.3, responses are meant. */
function readLine({ name, args }: OptionLine): { ofQuery: boolean; change: FlagChange } {
  const first = name.text.toLowerCase();
  const hasSelector = SELECTORS.includes(first);
  if (!hasSelector && !ACTIONS.includes(first)) {
    throw setupFault(name, `invalid selector=${first} should be query or response`);
  }
  const [action, ...flags] = hasSelector ? args : [name, ...args];
  if (action === undefined) throw setupFault(name, 'no flag action provided');
  const state = action.text.toLowerCase();
  if (!ACTIONS.includes(state)) {
    throw setupFault(action, `unknown flag action=${state}, should be set or clear`);
  }
  if (flags.length === 0) {
    throw setupFault(action, 'invalid length for flags, at least one should be provided');
  }
  const change = Object.fromEntries(flags.map((flag) => [flagOf(flag), state === 'set']));
  return { ofQuery: first === 'query', change };
}

function flagOf(token: Token): keyof Flags {
  const flag = FLAGS.get(token.text.toLowerCase());
  if (flag !== undefined) return flag;
  throw setupFault(
    token,
    `unknown/unsupported flag=${token.text.toLowerCase()}`,
    'The flags are: aa, ra, rd',
  );
}

function setupFault(at: Token, reason: string, hint?: string) {
  return wrongDirective('header', at, `setting up rule: ${reason}`, hint === undefined ? {} : { hint });
}
