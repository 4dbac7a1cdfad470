/** `whoami` takes nothing and may stand once in a block. */
import type { Setup } from '../contract.ts';
import { expectArgs, expectNoOptions, onlyDirective } from '../directive.ts';
import { whoami } from './plugin.ts';

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  expectArgs('whoami', directive, 0);
  expectNoOptions('whoami', directive);
  return { plugin: whoami, dependsOnClient: 'whoami tells clients their own address' };
};
