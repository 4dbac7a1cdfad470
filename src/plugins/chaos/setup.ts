/** `chaos [VERSION] [AUTHORS…]`, once per block. */
import { hostname } from 'node:os';
import { COMPATIBLE_VERSION } from '../compatible-version.ts';
import type { Setup } from '../contract.ts';
import { expectNoOptions, onlyDirective } from '../directive.ts';
import { chaos } from './plugin.ts';

/** What one string of a TXT record can hold (RFC 1035 section 3.3). */
const MAX_BYTES = 255;
const DEFAULT_AUTHORS: readonly string[] = ['the authors of zerohop'];

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  expectNoOptions('chaos', directive);
  const [version = `CoreDNS-${COMPATIBLE_VERSION}`, ...authors] = directive.args.map(({ text }) =>
    trim(text),
  );
  const plugin = chaos({
    version: trim(version),
    hostname: trim(hostname()),
    authors: authors.length === 0 ? DEFAULT_AUTHORS : [...new Set(authors)],
    random: host.random,
  });
  return { plugin, anyClass: true, replay: { does: 'nothing' } };
};

/** Never in the middle of a character. */
function trim(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_BYTES) return text;
  return new TextDecoder().decode(bytes.subarray(0, MAX_BYTES)).replace(/\uFFFD$/, '');
}
