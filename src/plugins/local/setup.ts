/** `local { localhost_prefix on|off }`, once per block. */
import type { OptionLine } from '../../corefile/ast.ts';
import { typeName } from '../../dns/codes.ts';
import { canonicalName } from '../../dns/name.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, onlyArg, onlyDirective, quote, unknownProperty, wrongDirective } from '../directive.ts';
import { isAnswered, local } from './plugin.ts';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  expectArgs('local', directive, 0);
  const prefix = (directive.body ?? []).map(readPrefix).at(-1) ?? true;
  const intercepted = host.metrics
    .counter({
      name: 'coredns_local_localhost_requests_total',
      help: 'Queries for names below localhost, or beginning with it.',
      labels: [],
    })
    .with();
  const plugin = local({
    prefix,
    onIntercept: ({ name, type }) => {
      intercepted.inc();
      host.log.debug(`Intercepting localhost query for ${quote(canonicalName(name))} ${typeName(type)}`);
    },
  });
  return { plugin, handles: (name) => isAnswered(name, { prefix }), replay: { does: 'nothing' } };
};

function readPrefix(option: OptionLine): boolean {
  if (option.name.text !== 'localhost_prefix') {
    throw unknownProperty('local', option.name, ['localhost_prefix']);
  }
  const value = onlyArg('local', option);
  if (value.text === 'on' || value.text === 'off') return value.text === 'on';
  throw wrongDirective('local', value, `localhost_prefix must be on or off: received ${quote(value.text)}`);
}
