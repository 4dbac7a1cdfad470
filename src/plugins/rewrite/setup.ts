/** `rewrite [continue|stop] RULE`, as often as wanted. A rule may stand on the line or in a block. */
import type { Setup } from '../contract.ts';
import { parseRule } from './parse-rule.ts';
import { rewritePlugin } from './plugin.ts';

export const setup: Setup = ({ directives, host }) => {
  const kept = new Set<number>();
  const seen = { client: false };
  const surroundings = {
    resolve: host.resolve,
    keepOption: (code: number) => {
      kept.add(code);
      host.keepEdnsOption(code);
    },
    onClientData: () => {
      seen.client = true;
    },
  };
  const rules = directives.map((directive) => parseRule(directive, surroundings));
  return {
    plugin: rewritePlugin(rules, kept),
    ...(seen.client && { dependsOnClient: 'rewrite puts what it knows of the client into queries' }),
  };
};
