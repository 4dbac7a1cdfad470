/**
 * What iptables-save and `nft list ruleset` print, as rules that say something of DNS. Pure. Lines it does not understand
 * keep their text and lack the rest: nobody's rule is made up.
 */
import { parseIp } from '../../../net/ip.ts';
import type { RuleFact } from '../node-facts.ts';

export interface Listing {
  readonly rules: readonly RuleFact[];
  /** Names of all chains, whatever their rules say. */
  readonly chains: readonly string[];
  /** `ip raw`: those that are told of. */
  readonly tables: readonly string[];
}

type Backend = RuleFact['backend'];
type Family = RuleFact['family'];

/** What is cut off is not missed: a node with more rules about DNS than these has another trouble. */
export const MAX_RULES = 2000;
/** A longer text is cut there, and marked by three dots: it names no rule any more. */
export const MAX_RULE_TEXT = 400;
/** Ports, or link-local addresses of both families; `notrack` matters wherever it stands. */
const CONCERNS = /(?:port|:)\s?(?:53|8080)\b|169\.254\.|\bfe80:|notrack/i;

/** `-c` is understood. `addresses` are those that make a rule worth keeping besides. */
export function parseSaved(
  text: string,
  source: { readonly backend: Backend; readonly family: Family },
  addresses: readonly string[] = [],
): Listing {
  const rules: RuleFact[] = [];
  const chains: string[] = [];
  const tables: string[] = [];
  let table = '';
  // Of a table that holds what it cannot show, iptables-nft-save shows a part as if it were the whole.
  const partial = new Set([...text.matchAll(/^# Table `([^']+)'/gm)].map((match) => match[1]));
  for (const line of text.split('\n')) {
    if (line.startsWith('*') && partial.has(line.slice(1).trim())) table = '';
    else if (line.startsWith('*')) {
      table = line.slice(1).trim();
      tables.push(`${source.family} ${table}`);
    } else if (line.startsWith(':') && table !== '') chains.push(line.slice(1).split(' ')[0] ?? '');
    const rule = /^(?:\[(\d+):\d+\] )?-A (\S+) (.*)$/.exec(line);
    if (rule === null || table === '' || !isWorthKeeping(line, addresses) || rules.length >= MAX_RULES)
      continue;
    const [, packets, chain = '', body = ''] = rule;
    rules.push({
      ...source,
      table,
      chain,
      ...savedParts(body),
      ...count(packets),
      text: `-A ${chain} ${body}`,
    });
  }
  return { rules: rules.map(shortened), chains, tables };
}

function savedParts(body: string): Partial<RuleFact> & Pick<RuleFact, 'verdict'> {
  const comment = /--comment (?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(body);
  const plain = body.replace(/--comment (?:"(?:[^"\\]|\\.)*"|\S+)/, '');
  const target = / ?-[jg] (\S+)/.exec(plain)?.[1] ?? '';
  const isNotrack = target === 'NOTRACK' || (target === 'CT' && plain.includes('--notrack'));
  const isChain = /^KUBE-|^cali-|^[a-z]/.test(target) || plain.includes(` -g ${target}`);
  const told = comment?.[1] ?? comment?.[2];
  return {
    verdict: isNotrack ? 'notrack' : isChain ? 'jump' : target.toLowerCase(),
    ...address('destination', negated(plain, 'd') ? undefined : / ?-d (\S+)/.exec(plain)?.[1]),
    ...address('source', negated(plain, 's') ? undefined : / ?-s (\S+)/.exec(plain)?.[1]),
    ...protocol(/ ?-p (\S+)/.exec(plain)?.[1]),
    ...port('destinationPort', /--dport (\d+)\b(?!:)/.exec(plain)?.[1]),
    ...port('sourcePort', /--sport (\d+)\b(?!:)/.exec(plain)?.[1]),
    ...(told === undefined ? {} : { comment: told }),
  };
}

function negated(body: string, side: 'd' | 's'): boolean {
  return body.includes(`! -${side} `);
}

/** As `nft -n list ruleset` prints it. Tables for which `isKnown` says so (`ip raw`) have been read otherwise. */
export function parseRuleset(
  text: string,
  isKnown: (table: string) => boolean,
  addresses: readonly string[] = [],
): Listing {
  const rules: RuleFact[] = [];
  const chains: string[] = [];
  const tables: string[] = [];
  let at: { family: Family; table: string } | undefined;
  let chain = '';
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const opened = /^table (\S+) (\S+) \{$/.exec(line);
    if (opened !== null) {
      const [, family = '', table = ''] = opened;
      const isOurs = family === 'ip' || family === 'ip6' || family === 'inet';
      at = isOurs && !isKnown(`${family} ${table}`) ? { family, table } : undefined;
      if (at !== undefined) tables.push(`${family} ${table}`);
      continue;
    }
    const named = /^chain (\S+) \{$/.exec(line)?.[1];
    if (named !== undefined) {
      chain = named;
      if (at !== undefined) chains.push(named);
    }
    if (line === '}') chain = '';
    if (at === undefined || chain === '' || named !== undefined || rules.length >= MAX_RULES) continue;
    if (line === '' || line.startsWith('type ') || !isWorthKeeping(line, addresses)) continue;
    rules.push({ backend: 'nft', ...at, chain, ...ruleParts(line) });
  }
  return { rules: rules.map(shortened), chains, tables };
}

const VERDICT = /\b(notrack|accept|drop|reject|dnat|snat|redirect|masquerade|jump|goto|return|vmap)\b/;

function ruleParts(line: string): Partial<RuleFact> & Pick<RuleFact, 'verdict' | 'text'> {
  const comment = /comment "((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  const plain = line.replace(/comment "(?:[^"\\]|\\.)*"/, '');
  const packets = /counter packets (\d+)/.exec(plain)?.[1];
  const verdict = VERDICT.exec(plain)?.[1] ?? 'other';
  const ported = /(udp|tcp) [ds]port/.exec(plain)?.[1];
  return {
    verdict: verdict === 'goto' || verdict === 'vmap' ? 'jump' : verdict,
    ...address('destination', /ip6? daddr ([0-9a-f.:/]+)/.exec(plain)?.[1]),
    ...address('source', /ip6? saddr ([0-9a-f.:/]+)/.exec(plain)?.[1]),
    ...protocol(ported ?? /meta l4proto (?:== )?(\w+)/.exec(plain)?.[1]),
    ...port('destinationPort', /dport (\d+)\b(?!-)/.exec(plain)?.[1]),
    ...port('sourcePort', /sport (\d+)\b(?!-)/.exec(plain)?.[1]),
    ...(comment === undefined ? {} : { comment }),
    ...count(packets),
    text: line.replace(/counter packets \d+ bytes \d+/, 'counter').replaceAll(/ {2,}/g, ' '),
  };
}

function isWorthKeeping(line: string, addresses: readonly string[]): boolean {
  return CONCERNS.test(line) || addresses.some((one) => line.includes(one));
}

/** Only whole addresses: what a network means for one query is for the reader of its text. */
function address(field: 'destination' | 'source', text: string | undefined): Partial<RuleFact> {
  const [plain = '', length] = (text ?? '').split('/');
  const ip = parseIp(plain);
  const isWhole = length === undefined || length === (plain.includes(':') ? '128' : '32');
  return ip === undefined || !isWhole ? {} : { [field]: ip };
}

function protocol(text: string | undefined): Partial<RuleFact> {
  if (text === 'udp' || text === '17') return { protocol: 'UDP' };
  return text === 'tcp' || text === '6' ? { protocol: 'TCP' } : {};
}

function port(field: 'destinationPort' | 'sourcePort', text: string | undefined): Partial<RuleFact> {
  return text === undefined ? {} : { [field]: Number(text) };
}

function count(packets: string | undefined): Partial<RuleFact> {
  return packets === undefined ? {} : { packets: Number(packets) };
}

function shortened(rule: RuleFact): RuleFact {
  return rule.text.length <= MAX_RULE_TEXT
    ? rule
    : { ...rule, text: `${rule.text.slice(0, MAX_RULE_TEXT)}...` };
}
