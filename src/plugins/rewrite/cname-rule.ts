/**
 * `cname [MATCH] FROM TO`: an answer that leads to one name is made to lead to another, which the server then asks
 * itself for (dns-server 3.15).
 */
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName, type Name, parseName } from '../../dns/name.ts';
import { cnameRecord, recordTarget } from '../../dns/rdata/target.ts';
import type { Host } from '../contract.ts';
import { isMatchKind, type Renaming, renaming } from './name-match.ts';
import type { Apply } from './rule.ts';
import { type RuleArguments, wrongRule } from './rule-arguments.ts';

export function cnameRule({ at, args }: RuleArguments, resolve: Host['resolve']): Apply {
  const rename = cnameRenaming({ at, args });
  // Every query counts as matched, as in CoreDNS: whether there is a CNAME is known only when the answer is there.
  return (query) => ({
    query,
    responses: [
      (message) => {
        const led = redirect(message.answers, rename);
        if (led === undefined) return message;
        return resolve(query, led.target, query.question.type).then((found) => ({
          ...message,
          answers: [...led.chain, ...(found?.answers ?? [])],
        }));
      },
    ],
  });
}

function cnameRenaming({ at, args }: RuleArguments): Renaming {
  const [first, second, third, extra] = args;
  if (first === undefined || second === undefined) throw wrongRule(at, 'too few arguments for a cname rule');
  if (extra !== undefined) throw wrongRule(extra, 'too many arguments for a cname rule');
  if (third === undefined) return renaming('exact', { from: first, to: second, rules: 'cname' });
  const kind = first.text.toLowerCase();
  if (isMatchKind(kind)) return renaming(kind, { from: second, to: third, rules: 'cname' });
  throw wrongRule(first, `unknown cname rewrite type: ${first.text}`);
}

/** The CNAMEs up to the first that leads elsewhere now; undefined when none does. */
function redirect(
  answers: readonly ResourceRecord[],
  rename: Renaming,
): { chain: readonly ResourceRecord[]; target: Name } | undefined {
  const chain: ResourceRecord[] = [];
  for (const record of answers) {
    if (record.type !== TYPE.CNAME) continue;
    const old = recordTarget(record);
    const target = old && newTarget(old, rename);
    if (target === undefined) chain.push(record);
    else return { chain: [...chain, cnameRecord(record.name, record.ttlSeconds, target)], target };
  }
  return undefined;
}

function newTarget(old: Name, rename: Renaming): Name | undefined {
  const text = rename(canonicalName(old));
  return text === undefined ? undefined : parseName(text);
}
