/**
 * `edns0 local|nsid|subnet set|append|replace|unset … [revert]`: puts options into the query, or takes them out. What
 * the client sees of it: a local option of its own comes back changed, or with `revert` as it was (dns-server 2.3).
 */
import type { Token } from '../../corefile/ast.ts';
import { EDNS_OPTION } from '../../dns/codes.ts';
import type { Edns, EdnsOption } from '../../dns/message.ts';
import { parseInteger, quote } from '../directive.ts';
import { type OptionData, optionData, subnetData, tellsOfClient } from './edns-data.ts';
import { withEdns } from './rewritten-query.ts';
import type { Apply } from './rule.ts';
import { type RuleArguments, wrongRule } from './rule-arguments.ts';

const ACTIONS = ['set', 'append', 'replace', 'unset'] as const;
type Action = (typeof ACTIONS)[number];

/** Of queries that get their OPT record from a rule. */
const OWN_UDP_SIZE = 4096;

interface OptionRule {
  readonly code: number;
  readonly data: OptionData;
  readonly isOfClient?: boolean;
}

export interface EdnsSurroundings {
  /** Makes the server echo an option of the client's in its replies. */
  readonly keepOption: (code: number) => void;
  /** What is asked, and so the answer, is another one for another client. */
  readonly onClientData: () => void;
}

export function ednsRule({ at, args }: RuleArguments, { keepOption, onClientData }: EdnsSurroundings): Apply {
  const [type, verb, ...rest] = args;
  if (type === undefined || verb === undefined) throw wrongRule(at, 'too few arguments for an EDNS0 rule');
  const action = ACTIONS.find((known) => known === verb.text.toLowerCase());
  if (action === undefined) throw wrongRule(verb, `invalid action: ${quote(verb.text)}`);
  const revert = rest.at(-1)?.text.toLowerCase() === 'revert';
  const values = revert ? rest.slice(0, -1) : rest;
  const option = optionRule(type, action, values);
  if (type.text.toLowerCase() === 'local') keepOption(option.code);
  if (option.isOfClient) onClientData();
  return (query) => {
    const { edns } = query.message;
    const options = changed(edns?.options ?? [], action, { code: option.code, data: option.data(query) });
    if (options === undefined) return undefined;
    const fresh: Edns = { version: 0, udpSize: OWN_UDP_SIZE, dnssecOk: false, ...edns, options };
    const rewritten = { query: withEdns(query, fresh), responses: [] };
    const data = options.find(({ code }) => code === option.code)?.data;
    return revert ? rewritten : { ...rewritten, shown: { code: option.code, data } };
  };
}

function optionRule(type: Token, action: Action, values: readonly Token[]): OptionRule {
  switch (type.text.toLowerCase()) {
    case 'local':
      return localRule(type, action, values);
    case 'nsid':
      if (values.length > 0) throw wrongRule(values[0] ?? type, 'EDNS0 NSID rules can not have args');
      return { code: EDNS_OPTION.NSID, data: () => new Uint8Array(0) };
    case 'subnet':
      return subnetRule(type, action, values);
    default:
      throw wrongRule(type, `invalid rule type ${quote(type.text)}`);
  }
}

function localRule(type: Token, action: Action, values: readonly Token[]): OptionRule {
  const [code, data, extra] = values;
  if (action === 'unset') {
    if (code === undefined || data !== undefined) {
      throw wrongRule(data ?? type, 'local unset action requires exactly two arguments');
    }
    return { code: codeArg(code), data: () => new Uint8Array(0) };
  }
  if (code === undefined || data === undefined || extra !== undefined) {
    throw wrongRule(extra ?? type, 'EDNS0 local rules require exactly three args');
  }
  return { code: codeArg(code), data: optionData(data), isOfClient: tellsOfClient(data) };
}

function subnetRule(type: Token, action: Action, values: readonly Token[]): OptionRule {
  const [v4, v6, extra] = values;
  if (action === 'unset' && v4 === undefined) {
    return { code: EDNS_OPTION.SUBNET, data: () => new Uint8Array(0) };
  }
  if (v4 === undefined || v6 === undefined || extra !== undefined) {
    throw wrongRule(extra ?? type, 'EDNS0 subnet rules require exactly three args');
  }
  const bits = { v4: bitsArg(v4, 'IPv4', 32), v6: bitsArg(v6, 'IPv6', 128) };
  return { code: EDNS_OPTION.SUBNET, data: subnetData(bits), isOfClient: true };
}

/** Undefined when there is nothing to do: then the rule has not matched. */
function changed(
  options: readonly EdnsOption[],
  action: Action,
  option: EdnsOption,
): EdnsOption[] | undefined {
  const at = options.findIndex(({ code }) => code === option.code);
  if (action === 'unset') return at < 0 ? undefined : options.filter(({ code }) => code !== option.code);
  if (at < 0) return action === 'replace' ? undefined : [...options, option];
  return action === 'append' ? undefined : options.with(at, option);
}

function codeArg(token: Token): number {
  const code = /^0x[0-9a-f]+$/i.test(token.text) ? Number(token.text) : parseInteger(token.text);
  if (code !== undefined && code >= 0 && code <= 0xffff) return code;
  throw wrongRule(token, `invalid EDNS0 option code ${quote(token.text)}`);
}

function bitsArg(token: Token, family: string, most: number): number {
  const bits = parseInteger(token.text);
  if (bits !== undefined && bits >= 0 && bits <= most) return bits;
  throw wrongRule(token, `invalid ${family} bit mask length ${token.text}`);
}
