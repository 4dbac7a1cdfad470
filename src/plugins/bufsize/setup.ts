/** `bufsize [BYTES]`, once per block. */
import type { Setup } from '../contract.ts';
import { expectArgs, expectNoOptions, integerArg, onlyDirective } from '../directive.ts';
import { bufsize } from './plugin.ts';

/** What the DNS flag day 2020 found to pass everywhere. */
const DEFAULT_BYTES = 1232;
const MIN_BYTES = 512;
const MAX_BYTES = 4096;

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  const [size] = expectArgs('bufsize', directive, 0, 1);
  expectNoOptions('bufsize', directive);
  const bytes =
    size === undefined ? DEFAULT_BYTES : integerArg('bufsize', size, { min: MIN_BYTES, max: MAX_BYTES });
  return { plugin: bufsize(bytes), replay: { does: 'limit', bytes } };
};
