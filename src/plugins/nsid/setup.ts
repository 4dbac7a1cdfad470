/** `nsid [TEXT…]`, once per block. */
import { hostname } from 'node:os';
import type { Setup } from '../contract.ts';
import { expectNoOptions, onlyDirective, wrongDirective } from '../directive.ts';
import { nsid } from './plugin.ts';

/** An OPT record's data has 65535 bytes for all options; RFC 5001 has no limit of its own. */
const MAX_BYTES = 512;

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  expectNoOptions('nsid', directive);
  const [first] = directive.args;
  const text = first === undefined ? hostname() : directive.args.map((token) => token.text).join(' ');
  const data = new TextEncoder().encode(text);
  if (first !== undefined && data.length > MAX_BYTES) {
    throw wrongDirective(
      'nsid',
      first,
      `the identifier must be at most ${MAX_BYTES} bytes: received ${data.length}`,
    );
  }
  return { plugin: nsid(data), replay: { does: 'nothing' } };
};
