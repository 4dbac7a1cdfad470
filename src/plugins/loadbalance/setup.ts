/** `loadbalance [round_robin]`; `weighted` and `prefer` are known to CoreDNS and refused here by name. */
import type { Setup } from '../contract.ts';
import {
  expectArgs,
  onlyDirective,
  unknownProperty,
  unsupportedProperty,
  wrongDirective,
} from '../directive.ts';
import { loadbalance } from './plugin.ts';

const PLUGIN = 'loadbalance';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const [policy] = directive.args;
  if (policy?.text === 'weighted') throw unsupportedProperty(PLUGIN, policy);
  expectArgs(PLUGIN, directive, 0, 1);
  if (policy !== undefined && policy.text !== 'round_robin') {
    throw wrongDirective(PLUGIN, policy, `unknown policy: ${policy.text}`, {
      hint: 'The policy is: round_robin',
    });
  }
  for (const { name } of directive.body ?? []) {
    throw name.text === 'prefer' ? unsupportedProperty(PLUGIN, name) : unknownProperty(PLUGIN, name, []);
  }
  return { plugin: loadbalance(host.random), replay: { does: 'shuffle' } };
};
