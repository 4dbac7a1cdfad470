/** `multisocket [N]`: sockets, each with a packet thread of its own, for each address of the block. */
import { availableParallelism } from 'node:os';
import type { Setup } from '../contract.ts';
import {
  expectArgs,
  expectNoOptions,
  onlyDirective,
  parseInteger,
  quote,
  wrongDirective,
} from '../directive.ts';

const MOST_SOCKETS = 1024;

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  const [token] = expectArgs('multisocket', directive, 0, 1);
  expectNoOptions('multisocket', directive);
  if (token === undefined) return { sockets: availableParallelism() };
  const sockets = parseInteger(token.text);
  if (sockets === undefined) {
    throw wrongDirective('multisocket', token, `invalid num sockets: ${quote(token.text)}`);
  }
  if (sockets <= 0) {
    throw wrongDirective('multisocket', token, `num sockets can not be zero or negative: ${sockets}`);
  }
  if (sockets > MOST_SOCKETS) {
    throw wrongDirective('multisocket', token, `num sockets exceeds maximum (${MOST_SOCKETS}): ${sockets}`);
  }
  return { sockets };
};
