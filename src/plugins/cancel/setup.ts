/** `cancel [DURATION]`, once per block. */
import type { Setup } from '../contract.ts';
import {
  expectArgs,
  expectNoOptions,
  onlyDirective,
  parseDurationMs,
  quote,
  wrongDirective,
} from '../directive.ts';
import { cancelPlugin } from './plugin.ts';

/** Just above the five seconds that stub resolvers wait. */
const DEFAULT_MS = 5001;

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const [token] = expectArgs('cancel', directive, 0, 1);
  expectNoOptions('cancel', directive);
  const timeoutMs = token === undefined ? DEFAULT_MS : parseDurationMs(token.text);
  if (token !== undefined && timeoutMs === undefined) {
    throw wrongDirective('cancel', token, `invalid duration: ${quote(token.text)}`);
  }
  if (token !== undefined && timeoutMs !== undefined && timeoutMs <= 0) {
    throw wrongDirective('cancel', token, `invalid negative duration: ${quote(token.text)}`);
  }
  return {
    plugin: cancelPlugin({ clock: host.clock, timeoutMs: timeoutMs ?? DEFAULT_MS }),
    replay: { does: 'nothing' },
  };
};
