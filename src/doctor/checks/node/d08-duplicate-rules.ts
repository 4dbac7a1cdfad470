/** Rules that stand there many times, and a queue for the lock of iptables: what a crashing cache makes with every start. */
import type { Check, Finding } from '../../check.ts';
import { isKnown, knownOr } from '../../site/known.ts';
import { MAX_RULE_TEXT } from '../../site/node/parse-rules.ts';
import type { RuleFact } from '../../site/node-facts.ts';
import type { NodeSite } from '../../site/site.ts';
import { removeRule } from '../rule-commands.ts';

export const d08: Check = {
  id: 'D08',
  title: 'Packet filter rules are there more than once',
  pains: ['P10'],
  needs: { node: ['rules'] },
  run: (site) => site.nodes.flatMap((node) => [...duplicates(node), ...queue(node)]),
};

const SHOWN = 5;

function duplicates({ name, facts }: NodeSite): readonly Finding[] {
  // Of two that begin alike nobody knows whether they end alike.
  const whole = knownOr(facts.rules, []).filter(({ text }) => text.length <= MAX_RULE_TEXT);
  const groups = Map.groupBy(whole, keyOf);
  const repeated = [...groups.values()].filter((group) => group.length > 1);
  if (repeated.length === 0) return [];
  const evidence = repeated.slice(0, SHOWN).map((group) => `${group.length} times ${describe(group[0])}`);
  const more = repeated.length - evidence.length;
  return [
    {
      id: 'D08',
      severity: 'warning',
      title: d08.title,
      node: name,
      evidence: more > 0 ? [...evidence, `and ${more} more`] : evidence,
      cause:
        'whoever adds them does not see those that are there: an iptables of the other flavour, or a check that timed out on the lock',
      fix: { kind: 'command', text: repeated.flatMap(removals).slice(0, 100).join('\n') },
    },
  ];
}

function queue({ name, facts: { xtablesLock } }: NodeSite): readonly Finding[] {
  if (!isKnown(xtablesLock) || xtablesLock.value.waiting.length === 0) return [];
  const { path, holders, waiting } = xtablesLock.value;
  return [
    {
      id: 'D08',
      severity: 'warning',
      title: 'Programs wait for the lock of iptables',
      node: name,
      evidence: [
        `${path} is held by process ${holders.join(', ')}; ${waiting.length} wait: ${waiting.slice(0, 10).join(', ')}`,
      ],
      cause: 'one program at a time may change the rules; on a node with many of them each change takes long',
      fix: {
        kind: 'text',
        text: "Give those that wait time (-w), or use kube-proxy's mode nftables, which has no such lock",
      },
    },
  ];
}

function keyOf({ backend, family, table, chain, text }: RuleFact): string {
  return JSON.stringify([backend, family, table, chain, text]);
}

function describe(rule: RuleFact | undefined): string {
  return rule === undefined ? '' : `${rule.backend} ${rule.family} ${rule.table}: ${rule.text}`;
}

/** Deletes all but one: iptables takes away the first that is alike. */
function removals(group: readonly RuleFact[]): readonly string[] {
  const [rule] = group;
  if (rule === undefined) return [];
  const command = removeRule(rule);
  return rule.text.startsWith('-A ') ? Array<string>(group.length - 1).fill(command) : [command];
}
