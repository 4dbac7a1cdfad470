/** `prometheus [ADDRESS]`, once per block; blocks with the same address share the listener, all share the metrics. */
import { EXPOSITION_TYPE } from '../../telemetry/metrics.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, onlyDirective, unsupportedProperty, wrongDirective } from '../directive.ts';
import { prometheusPlugin } from './plugin.ts';

const DEFAULT_ADDRESS = 'localhost:9153';
/** Options that CoreDNS has. */
const UNSUPPORTED: readonly string[] = ['runtime_metrics', 'tls'];

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const [token] = expectArgs('prometheus', directive, 0, 1);
  if (token !== undefined && !/:\d+$/.test(token.text)) {
    throw wrongDirective('prometheus', token, `address ${token.text}: missing port in address`);
  }
  for (const { name } of directive.body ?? []) {
    if (UNSUPPORTED.includes(name.text)) throw unsupportedProperty('prometheus', name);
    throw wrongDirective('prometheus', name, `unknown option: ${name.text}`, {
      code: 'PLUGIN_UNKNOWN_OPTION',
    });
  }
  host.http(token?.text ?? DEFAULT_ADDRESS, '/metrics', async () => ({
    status: 200,
    body: await host.metrics.text(),
    contentType: EXPOSITION_TYPE,
  }));
  let next: string | undefined;
  const nextWord = () => {
    next ??= wordAfter(host.neighbours().chain, 'prometheus');
    return next;
  };
  const { plugin, add } = prometheusPlugin({ metrics: host.metrics, clock: host.clock, nextWord });
  return { plugin, replay: { does: 'count', add } };
};

function wordAfter(chain: readonly string[], word: string): string {
  const index = chain.indexOf(word);
  return index < 0 ? '' : (chain[index + 1] ?? '');
}
