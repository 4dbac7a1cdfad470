/** `minimal` takes nothing and may stand once in a block. */
import type { Setup } from '../contract.ts';
import { expectArgs, expectNoOptions, onlyDirective } from '../directive.ts';
import { minimal } from './plugin.ts';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  expectArgs('minimal', directive, 0);
  expectNoOptions('minimal', directive);
  return { plugin: minimal(host.clock) };
};
