/** `ttl [MATCH] NAME TTL` and `rcode [MATCH] NAME FROM TO`: other answers to the names that match. */
import type { Token } from '../../corefile/ast.ts';
import { parseRcode } from '../../dns/codes.ts';
import { canonicalName } from '../../dns/name.ts';
import { parseInteger, quote } from '../directive.ts';
import { isMatchKind, type MatchKind, nameTest } from './name-match.ts';
import { mapRecords } from './record-names.ts';
import type { Apply, ResponseRule } from './rule.ts';
import { type RuleArguments, wrongRule } from './rule-arguments.ts';

/** RFC 2181 section 8. */
const MAX_TTL_SECONDS = 0x7fff_ffff;

export function ttlRule(rule: RuleArguments): Apply {
  const { kind, values } = matchArguments('ttl', 2, rule);
  const [name, range] = values;
  if (name === undefined || range === undefined) throw wrongRule(rule.at, 'too few arguments for a ttl rule');
  const [min, max] = ttlRange(range);
  return responseRule(nameTest(kind, name, 'ttl'), (message) =>
    mapRecords(message, (record) => {
      const ttlSeconds = Math.min(Math.max(record.ttlSeconds, min), max);
      return ttlSeconds === record.ttlSeconds ? record : { ...record, ttlSeconds };
    }),
  );
}

export function rcodeRule(rule: RuleArguments): Apply {
  const { kind, values } = matchArguments('rcode', 3, rule);
  const [name, from, to] = values;
  if (name === undefined || from === undefined || to === undefined) {
    throw wrongRule(rule.at, 'too few arguments for a rcode rule');
  }
  const [old, fresh] = [rcodeArg(from), rcodeArg(to)];
  return responseRule(nameTest(kind, name, 'rcode'), (message) =>
    message.rcode === old ? { ...message, rcode: fresh } : message,
  );
}

function responseRule(matches: (name: string) => boolean, response: ResponseRule): Apply {
  return (query) =>
    matches(canonicalName(query.question.name)) ? { query, responses: [response] } : undefined;
}

/** An optional kind of match and `count` words. */
function matchArguments(
  field: string,
  count: number,
  { at, args }: RuleArguments,
): { kind: MatchKind; values: readonly Token[] } {
  if (args.length < count) throw wrongRule(at, `too few arguments for a ${field} rule`);
  if (args.length > count + 1) {
    throw wrongRule(args[count + 1] ?? at, `too many arguments for a ${field} rule`);
  }
  const [first, ...rest] = args;
  if (first === undefined || args.length === count) return { kind: 'exact', values: args };
  const kind = first.text.toLowerCase();
  if (isMatchKind(kind)) return { kind, values: rest };
  throw wrongRule(
    first,
    `a ${field} rule supports only exact, prefix, suffix, substring, and regex name matching, received: ${first.text}`,
  );
}

/** `30`, `30-60`, `-60`, `30-`. */
function ttlRange(token: Token): readonly [min: number, max: number] {
  const parts = /^(\d*)(-?)(\d*)$/.exec(token.text);
  const [, low = '', dash = '', high = ''] = parts ?? [];
  const min = Number(low);
  const max = high !== '' ? Number(high) : dash === '' ? min : MAX_TTL_SECONDS;
  const isRange = parts !== null && (low !== '' || high !== '') && max <= MAX_TTL_SECONDS && min <= max;
  if (isRange) return [min, max];
  throw wrongRule(
    token,
    `invalid TTL ${quote(token.text)}`,
    'It is a number of seconds, or a range: 30-60, -60, 30-',
  );
}

function rcodeArg(token: Token): number {
  const number = parseInteger(token.text);
  const rcode = number === undefined ? parseRcode(token.text) : number;
  if (rcode !== undefined && rcode >= 0 && rcode <= 0xfff) return rcode;
  throw wrongRule(token, `invalid rcode ${quote(token.text)}`);
}
