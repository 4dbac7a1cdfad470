/** `debug` shows `[DEBUG]` lines and lets the process end where its code goes wrong; both are the server's doing. */
import type { Setup } from '../contract.ts';
import { expectArgs, expectNoOptions, onlyDirective } from '../directive.ts';

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  expectArgs('debug', directive, 0);
  expectNoOptions('debug', directive);
  return { debug: true };
};
