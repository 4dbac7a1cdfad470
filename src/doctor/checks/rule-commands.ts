/**
 * Commands that add and remove rules of netfilter, made to be pasted into a root's shell on a node that works: what is in a
 * rule's text was written by somebody else, and a rule at the wrong moment takes DNS away from every pod.
 */
import type { Ip } from '../../net/ip.ts';
import { holdersOf } from '../picture/service-interfaces.ts';
import { knownOr } from '../site/known.ts';
import { MAX_RULE_TEXT } from '../site/node/parse-rules.ts';
import type { NodeFacts, RuleFact } from '../site/node-facts.ts';
import { listensOn } from './node/node-cache-process.ts';
import { shellWord } from './shell-word.ts';

/**
 * Keeps queries to the address from being tracked, and so from being translated. Undefined unless the node is seen to have
 * the address and somebody who listens there: without them untracked queries go to nobody at all.
 */
export function notrackCommand(
  address: Ip,
  { interfaces, sockets }: Pick<NodeFacts, 'interfaces' | 'sockets'>,
): string | undefined {
  const isServed = holdersOf(interfaces, address).length > 0 && listensOn(knownOr(sockets, []), address);
  if (!isServed) return undefined;
  const program = address.includes(':') ? 'ip6tables' : 'iptables';
  return ['udp', 'tcp']
    .map((protocol) => `${program} -t raw -I PREROUTING -d ${address} -p ${protocol} --dport 53 -j NOTRACK`)
    .join('\n');
}

/** Removes the first rule that is like this one; of rules that no command can name, shows what there is. */
export function removeRule({ backend, family, table, chain, text }: RuleFact): string {
  const program = `${family === 'ip6' ? 'ip6tables' : 'iptables'}-${backend === 'nft' ? 'nft' : 'legacy'}`;
  const isWhole = text.length <= MAX_RULE_TEXT;
  if (text.startsWith('-A ') && isWhole)
    return `${program} -t ${shellWord(table)} -D ${savedWords(text.slice(3)).map(shellWord).join(' ')}`;
  if (text.startsWith('-A '))
    return `${program} -t ${shellWord(table)} -L ${shellWord(chain)} --line-numbers`;
  return `nft -a list chain ${family} ${shellWord(table)} ${shellWord(chain)} # then: nft delete rule, by its handle`;
}

/** As iptables-save writes them: what is no plain word stands in quotes, with a backslash before quotes and backslashes. */
function savedWords(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/gs)].map(
    ([, inQuotes, plain = '']) => inQuotes?.replaceAll(/\\(.)/gs, '$1') ?? plain,
  );
}
