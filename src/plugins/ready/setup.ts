/** `ready [ADDRESS] { monitor until-ready|continuously }`, once per block; blocks may share an address. */
import type { OptionLine } from '../../corefile/ast.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, onlyArg, onlyDirective, unknownProperty, wrongDirective } from '../directive.ts';
import { createReadyProbe } from './plugin.ts';

const DEFAULT_ADDRESS = ':8181';

export const setup: Setup = ({ directives, host }) => {
  const directive = onlyDirective(directives);
  const [address] = expectArgs('ready', directive, 0, 1);
  if (address !== undefined && !/:\d+$/.test(address.text)) {
    throw wrongDirective('ready', address, `address ${address.text}: missing port in address`);
  }
  const probe = createReadyProbe({
    readiness: () => host.readiness(),
    continuously: (directive.body ?? []).map(isContinuous).at(-1) ?? false,
    onNotReady: (text) => host.log.info(text),
  });
  host.http(address?.text ?? DEFAULT_ADDRESS, '/ready', probe.answer);
  return { onShutdown: probe.shutDown };
};

function isContinuous(option: OptionLine): boolean {
  if (option.name.text !== 'monitor') throw unknownProperty('ready', option.name, ['monitor']);
  const word = onlyArg('ready', option);
  if (word.text === 'continuously') return true;
  if (word.text === 'until-ready') return false;
  throw wrongDirective('ready', word, `invalid monitor type '${word.text}'`, {
    hint: 'It is one of: until-ready, continuously',
  });
}
