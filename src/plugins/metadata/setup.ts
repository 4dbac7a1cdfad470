/** `metadata [ZONES…]`, once per block. */
import type { Setup } from '../contract.ts';
import { expectNoOptions, onlyDirective } from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { metadata } from './plugin.ts';

export const setup: Setup = ({ directives, block, host }) => {
  const directive = onlyDirective(directives);
  expectNoOptions('metadata', directive);
  const zones = zonesFrom(directive.args, block.zones);
  return {
    plugin: metadata({ zones, describers: () => host.neighbours().describers }),
    replay: { does: 'nothing' },
  };
};
