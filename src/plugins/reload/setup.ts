/**
 * `reload` says how often the server looks whether its Corefile has changed; the looking and the change-over are the
 * server's, which alone can replace all blocks at once (dns-server 3.9). It has no part in the chain.
 */
import type { Setup } from '../contract.ts';
import { durationArg, expectArgs, expectNoOptions, onlyDirective, wrongDirective } from '../directive.ts';

const INTERVAL_MS = 30_000;
const JITTER_MS = 15_000;
const LEAST_INTERVAL_MS = 2000;
const LEAST_JITTER_MS = 1000;

export const setup: Setup = ({ directives }) => {
  const directive = onlyDirective(directives);
  const [interval, jitter] = expectArgs('reload', directive, 0, 2);
  expectNoOptions('reload', directive);
  const intervalMs = interval === undefined ? INTERVAL_MS : durationArg('reload', interval);
  if (interval !== undefined && intervalMs < LEAST_INTERVAL_MS) {
    throw wrongDirective('reload', interval, 'interval value must be greater or equal to 2s');
  }
  const jitterMs = jitter === undefined ? JITTER_MS : durationArg('reload', jitter);
  if (jitter !== undefined && jitterMs !== 0 && jitterMs < LEAST_JITTER_MS) {
    throw wrongDirective('reload', jitter, 'jitter value must be 0 or greater or equal to 1s');
  }
  return { watchCorefile: { intervalMs, jitterMs: Math.min(jitterMs, intervalMs / 2) } };
};
